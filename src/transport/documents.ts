// Parsed and validated operations, whichever door they come in by. A thousand sockets that come back after a restart ask
// for the same few; and those who ask with the same document can be served together.

import { type DocumentNode, type GraphQLError, parse, validate } from 'graphql';
import { schema } from '../schema/index.ts';
import { maxTokens } from './limits.ts';

/** Valid operations that are remembered, the latest to be asked for last. */
const maxRemembered = 500;
const remembered = new Map<string, DocumentNode>();
const valid = new WeakSet<DocumentNode>();

/** The operation, remembered or parsed. Throws GraphQLError where it does not parse. */
export function parseDocument(source: string): DocumentNode {
  const known = remembered.get(source);
  if (!known) return parse(source, { maxTokens });
  remembered.delete(source);
  remembered.set(source, known);
  return known;
}

/** What is wrong with an operation that `parseDocument` gave. From then on it is remembered where nothing is. */
export function validateDocument(document: DocumentNode): readonly GraphQLError[] {
  if (valid.has(document)) return [];
  const errors = validate(schema, document);
  if (errors.length > 0) return errors;
  valid.add(document);
  remembered.set(document.loc?.source.body as string, document);
  const [oldest] = remembered.keys();
  if (remembered.size > maxRemembered && oldest !== undefined) remembered.delete(oldest);
  return errors;
}
