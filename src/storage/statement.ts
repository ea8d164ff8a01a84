// Statements that run thousands of times a second: Kysely builds and compiles the text once, and not for each call.

import { type CompiledQuery, type RawBuilder, sql } from 'kysely';
import { SchemaPlugin } from './schema-plugin.ts';
import type { Db } from './tables.ts';

/** The place of an argument in a statement. */
class Argument {
  readonly index: number;

  constructor(index: number) {
    this.index = index;
  }
}

type Places<Arguments extends readonly unknown[]> = { [Index in keyof Arguments]: RawBuilder<Arguments[Index]> };

/** A statement that is built at its first call. `build` gets a place for each argument, and must not depend on anything else. */
export function statement<Row, Arguments extends readonly unknown[]>(
  build: (...places: Places<Arguments>) => RawBuilder<Row>,
): (db: Db, ...values: Arguments) => Promise<Row[]> {
  /** By the schema that the text names. */
  const texts = new Map<string | undefined, CompiledQuery<Row>>();
  return async (db, ...values) => {
    const schema = SchemaPlugin.schemaOf(db);
    const compiled =
      texts.get(schema) ?? build(...(values.map((_, index) => sql.val(new Argument(index))) as Places<Arguments>)).compile(db);
    texts.set(schema, compiled);
    const parameters = compiled.parameters.map((each) => (each instanceof Argument ? values[each.index] : each));
    return (await db.executeQuery<Row>({ ...compiled, parameters })).rows;
  };
}
