import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  buildSchema,
  findBreakingChanges,
  findDangerousChanges,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import { schema } from '../../src/schema/index.ts';

const contract = buildSchema(readFileSync(new URL('../contract.graphql', import.meta.url), 'utf8'));

/** Each field of a type as `name(arguments): type`, by name. */
function signatures(type: GraphQLNamedType | undefined): Record<string, string> {
  if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) return {};
  return Object.fromEntries(
    Object.values(type.getFields()).map((field) => {
      const args = argumentsOf(field).map(({ name, type: argType }) => `${name}: ${argType}`);
      return [field.name, `${field.name}(${args.join(', ')}): ${field.type}`];
    }),
  );
}

function argumentsOf(field: GraphQLField<unknown, unknown> | GraphQLInputField): readonly GraphQLArgument[] {
  return 'args' in field ? field.args.toSorted((a, b) => a.name.localeCompare(b.name)) : [];
}

const own = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__'));

describe('the schema', () => {
  it('breaks nothing of the contract', () => {
    assert.deepEqual(findBreakingChanges(contract, schema), []);
    assert.deepEqual(
      findDangerousChanges(contract, schema).filter(({ type }) => type === 'ARG_DEFAULT_VALUE_CHANGE'),
      [],
    );
  });

  it('has every field of the contract with its type, nullability and arguments', () => {
    for (const type of Object.values(contract.getTypeMap()).filter(({ name }) => !name.startsWith('__'))) {
      const built = signatures(schema.getType(type.name));
      for (const [name, signature] of Object.entries(signatures(type))) assert.equal(built[name], signature, `${type.name}.${name}`);
    }
  });

  it('describes every type, field, argument and enum value', () => {
    const bare: string[] = [];
    const check = (name: string, { description }: { description?: string | null | undefined }) => description?.trim() || bare.push(name);
    for (const type of own) {
      check(type.name, type);
      if (isEnumType(type)) for (const value of type.getValues()) check(`${type.name}.${value.name}`, value);
      if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
        for (const field of Object.values(type.getFields())) {
          check(`${type.name}.${field.name}`, field);
          for (const arg of argumentsOf(field)) check(`${type.name}.${field.name}(${arg.name})`, arg);
        }
      }
    }
    assert.deepEqual(bare, []);
  });
});
