// Parsed and validated operations. A thousand sockets that come back after a restart ask for the same few.

import { type DocumentNode, type GraphQLError, parse, validate } from 'graphql';
import { schema } from '../schema/index.ts';
import { maxTokens } from './limits.ts';

/** Operations that are remembered, the latest to be asked for last. */
const maxRemembered = 500;
const remembered = new Map<string, DocumentNode>();

/** The operation, or what is wrong with it. Throws GraphQLError where it does not parse. */
export function readDocument(source: string): DocumentNode | readonly GraphQLError[] {
  const known = remembered.get(source);
  if (known) {
    remembered.delete(source);
    remembered.set(source, known);
    return known;
  }
  const document = parse(source, { maxTokens });
  const errors = validate(schema, document);
  if (errors.length > 0) return errors;
  remembered.set(source, document);
  const [oldest] = remembered.keys();
  if (remembered.size > maxRemembered && oldest !== undefined) remembered.delete(oldest);
  return document;
}
