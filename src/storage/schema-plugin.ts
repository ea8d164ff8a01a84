// Names the schema of every table, so that no statement depends on search_path, which a role or database may set and which
// a pooler does not keep. Kysely's withSchema does not reach the tables in statements that are written as text.

import {
  IdentifierNode,
  type KyselyPlugin,
  OperationNodeTransformer,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryResult,
  type ReferenceNode,
  type RootOperationNode,
  type SelectModifierNode,
  type TableNode,
  type UnknownRow,
} from 'kysely';
import { type Db, storedName, tableNames } from './tables.ts';

/** Applied after the plugin that converts names, so that it sees those of the database. */
export class SchemaPlugin implements KyselyPlugin {
  readonly schema: string;
  readonly #transformer: SchemaTransformer;

  constructor(schema: string) {
    this.schema = schema;
    this.#transformer = new SchemaTransformer(schema);
  }

  transformQuery({ node }: PluginTransformQueryArgs): RootOperationNode {
    return this.#transformer.transformNode(node);
  }

  /** The schema that a handle names. */
  static schemaOf(db: Db): string | undefined {
    return db.getExecutor().plugins.find((plugin) => plugin instanceof SchemaPlugin)?.schema;
  }

  async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return result;
  }
}

const names = new Set(tableNames.map(storedName));

class SchemaTransformer extends OperationNodeTransformer {
  readonly #schema: IdentifierNode;

  constructor(schema: string) {
    super();
    this.#schema = IdentifierNode.create(schema);
  }

  /** Replaces a schema: the plugins have run before on a query that is part of another, and convert names each time. */
  protected override transformTable(node: TableNode): TableNode {
    if (!names.has(node.table.identifier.name)) return node;
    return { ...node, table: { ...node.table, schema: this.#schema } };
  }

  /** A column is qualified by the name that its table has in the statement, which may be an alias. */
  protected override transformReference(node: ReferenceNode): ReferenceNode {
    return node;
  }

  /** `for update of` names tables as the statement does. */
  protected override transformSelectModifier(node: SelectModifierNode): SelectModifierNode {
    return node;
  }
}
