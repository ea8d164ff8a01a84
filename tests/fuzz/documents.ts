// Random operations of the schema: fields, arguments, aliases, fragments and directives. About half are valid, and the others nearly.

import {
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputType,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  OperationTypeNode,
} from 'graphql';
import { schema } from '../../src/schema/index.ts';
import { pick } from '../support/random.ts';
import type { Scene } from './scene.ts';

export interface Operation {
  readonly query: string;
  readonly variables: Record<string, unknown>;
  /** The fields of the root type, such as `Mutation.sendMessage`, by the names under which they are answered. */
  readonly roots: ReadonlyMap<string, string>;
}

/** The fields of the root types, as in `Operation.roots`. */
export const rootFields = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap((type) =>
  Object.keys(type?.getFields() ?? {}).map((field) => `${type?.name}.${field}`),
);

const texts = [
  '',
  ' ',
  'x',
  'Hello',
  '界'.repeat(100),
  '💥',
  '\ud800',
  '\0',
  '\u202e',
  'x'.repeat(4000),
  'x'.repeat(20_000),
  "'; --",
  '%_\\',
];
const numbers = [0, 1, 2, 20, 100, 101, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 1.5, 1e308];

export class DocumentFuzzer {
  readonly #random: () => number;
  readonly #scene: Scene;
  #variables: Record<string, unknown> = {};
  #definitions: string[] = [];
  #fragments: string[] = [];
  #roots = new Map<string, string>();
  #fieldsLeft = 0;
  #aliases = 0;

  constructor(random: () => number, scene: Scene) {
    this.#random = random;
    this.#scene = scene;
  }

  next(
    type: OperationTypeNode = pick([OperationTypeNode.QUERY, OperationTypeNode.QUERY, OperationTypeNode.MUTATION], this.#random),
  ): Operation {
    this.#variables = {};
    this.#definitions = [];
    this.#fragments = [];
    this.#roots = new Map();
    this.#aliases = 0;
    this.#fieldsLeft = pick([3, 10, 40, 150], this.#random);
    const root = schema.getRootType(type) as GraphQLCompositeType;
    const selection = this.#selection(root, 0);
    const definitions = this.#definitions.length > 0 ? `(${this.#definitions.join(', ')})` : '';
    const query = this.#damaged(`${type} ${this.#chance(0.2) ? 'Named' : ''}${definitions} ${selection} ${this.#fragments.join(' ')}`);
    if (this.#chance(0.05)) this.#variables['undeclared'] = this.#wrong();
    return { query, variables: this.#variables, roots: this.#roots };
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #selection(type: GraphQLCompositeType, depth: number): string {
    const fields = isObjectType(type) || 'getFields' in type ? Object.values(type.getFields()) : [];
    const count = depth === 0 ? pick([1, 1, 2, 5], this.#random) : pick([1, 2, 4, 4, 20], this.#random);
    const parts = ['__typename'];
    for (let i = 0; i < count && this.#fieldsLeft > 0 && depth < 25; i += 1) {
      this.#fieldsLeft -= 1;
      if (isAbstractType(type) && this.#chance(0.6)) {
        const possible = pick(schema.getPossibleTypes(type), this.#random);
        parts.push(`... on ${possible.name} ${this.#selection(possible, depth + 1)}`);
      } else if (this.#chance(0.1)) {
        const name = `F${this.#fragments.length}`;
        this.#fragments.push('');
        this.#fragments[Number(name.slice(1))] = `fragment ${name} on ${type.name} ${this.#selection(type, depth + 1)}`;
        parts.push(...Array<string>(pick([1, 1, 3], this.#random)).fill(`...${name}`));
      } else if (fields.length > 0) parts.push(this.#field(type, pick(fields, this.#random), depth));
    }
    if (depth === 0 && this.#chance(0.03)) parts.push('__schema { types { name fields { name type { name } } } }');
    return `{ ${parts.join(' ')} }`;
  }

  #field(parent: GraphQLCompositeType, field: GraphQLField<unknown, unknown>, depth: number): string {
    const args = field.args
      .filter(({ type }) => isNonNullType(type) || this.#chance(0.4))
      .map(({ name, type }) => `${name}: ${this.#argument(name, type)}`);
    // The same field with other arguments, or another field under the same alias, makes the whole operation invalid.
    const isNamed = this.#chance(args.length > 0 ? 0.98 : 0.3);
    this.#aliases += 1;
    const alias = isNamed ? `a${this.#chance(0.02) ? 0 : this.#aliases}: ` : '';
    if (depth === 0) this.#roots.set(alias.slice(0, -2) || field.name, `${parent.name}.${field.name}`);
    const directive = this.#chance(0.05) ? ` @${pick(['include', 'skip'], this.#random)}(if: ${this.#chance(0.5)})` : '';
    const type = getNamedType(field.type);
    const inside = isCompositeType(type) ? ` ${this.#selection(type, depth + 1)}` : '';
    return `${alias}${field.name}${args.length > 0 ? `(${args.join(', ')})` : ''}${directive}${inside}`;
  }

  #argument(name: string, type: GraphQLInputType): string {
    const value = this.#value(name, type, 0);
    if (this.#chance(0.5)) {
      const variable = `v${this.#definitions.length}`;
      this.#definitions.push(`$${variable}: ${type}`);
      this.#variables[variable] = value;
      return `$${variable}`;
    }
    return literalOf(value, type);
  }

  #value(name: string, type: GraphQLInputType, depth: number): unknown {
    if (this.#chance(0.02)) return this.#wrong();
    if (isNonNullType(type)) return this.#value(name, type.ofType, depth);
    if (isListType(type))
      return Array.from({ length: pick([0, 1, 3, 101], this.#random) }, () => this.#value(name, type.ofType, depth + 1));
    if (isEnumType(type)) return pick(type.getValues(), this.#random).name;
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) || this.#chance(0.5));
      return Object.fromEntries(fields.map((field) => [field.name, this.#value(field.name, field.type, depth + 1)]));
    }
    if (type.name === 'Int') return pick(numbers.slice(1, this.#chance(0.9) ? 5 : undefined), this.#random);
    if (type.name === 'Boolean') return this.#chance(0.5);
    if (name === 'after' || name === 'before') return this.#chance(0.7) ? this.#scene.cursor() : pick(texts, this.#random);
    if (name === 'token') return this.#chance(0.7) ? this.#scene.token() : pick(texts, this.#random);
    if (type.name === 'ID') return this.#chance(0.8) ? this.#scene.id(name) : pick(texts, this.#random);
    return this.#chance(0.5) ? 'Hello' : pick(texts, this.#random);
  }

  #wrong(): unknown {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
    return pick([null, 1, true, [], {}, [[]], { a: { b: [1] } }, nested(50), nested(300), Array(2000).fill(1), ...texts], this.#random);
  }

  /** The text as it is, or with one change that makes it invalid, mostly. */
  #damaged(text: string): string {
    if (this.#chance(0.8)) return text;
    const at = Math.floor(this.#random() * text.length);
    return pick(
      [
        text.slice(0, at),
        text.slice(0, at) + pick(['{', '}', '$', '"', '...', '@', '\0', '💥', 'x', '(', ':'], this.#random) + text.slice(at),
      ],
      this.#random,
    );
  }
}

/** The value as a literal of GraphQL. */
function literalOf(value: unknown, type: GraphQLInputType): string {
  if (isNonNullType(type)) return literalOf(value, type.ofType);
  if (isEnumType(type) && typeof value === 'string') return value;
  if (isListType(type) && Array.isArray(value)) return `[${value.map((item) => literalOf(item, type.ofType)).join(', ')}]`;
  if (isInputObjectType(type) && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const fields = type.getFields();
    return `{${Object.entries(value)
      .map(([name, inside]) => `${name}: ${fields[name] ? literalOf(inside, fields[name].type) : 'null'}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value).replace(/"([a-z]+)":/g, '$1:');
}
