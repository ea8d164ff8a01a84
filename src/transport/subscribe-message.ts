// What is kept of a `subscribe` message. graphql-ws keeps the message for as long as its operation lives: without what is never
// read, so that a subscription costs no more memory than its text and its variables.

import { getOperationAST } from 'graphql';
import type { SubscribeMessage } from 'graphql-ws';
import { declaredOf } from '../schema/variables.ts';
import { parseDocument } from './documents.ts';
import { nestsTooDeeply } from './limits.ts';

/** A shorter message is not worth the work. */
const shortLength = 2048;

/** The message without its extensions and undeclared variables. Unchanged if it is short, or will be refused. */
export function leanText({ id, type, payload: { query, operationName, variables, extensions } }: SubscribeMessage, text: string): string {
  if (text.length <= shortLength || nestsTooDeeply(variables) || nestsTooDeeply(extensions)) return text;
  try {
    const operation = getOperationAST(parseDocument(query), operationName);
    if (!operation) return text;
    return JSON.stringify({ id, type, payload: { query, operationName, variables: variables && declaredOf(operation, variables) } });
  } catch {
    // The text does not parse.
    return text;
  }
}
