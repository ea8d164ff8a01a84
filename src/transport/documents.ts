// Parsed and validated operations. Equal texts give the same document, so that subscriptions with the same operation can be
// served together, and a thousand sockets that reconnect after a restart do not have it parsed a thousand times.

import { type DocumentNode, type GraphQLError, getOperationAST, type OperationTypeNode, parse, specifiedRules, validate } from 'graphql';
import { LRUCache } from 'lru-cache';
import { sameFieldRule } from '../schema/aliases.ts';
import type { Share } from '../schema/context.ts';
import { schema } from '../schema/index.ts';
import { introspectionRule, noIntrospectionRule } from '../schema/introspection.ts';
import { maxTokens } from './limits.ts';

/** Most bytes of all cached documents. An ordinary operation has 100 tokens. One of 2,000 tokens takes 0.7 MB. */
export const maxCachedBytes = 32 * 1024 * 1024;
/** A token and its part of the syntax tree, measured. */
const bytesPerToken = 350;
const bytesPerCharacter = 2;

export const bytesOf = ({ tokenCount = maxTokens, loc }: DocumentNode): number =>
  tokenCount * bytesPerToken + (loc?.source.body.length ?? 0) * bytesPerCharacter;

/** Valid documents, by text. */
const cached = new LRUCache<string, DocumentNode>({ max: 500, maxSize: maxCachedBytes, sizeCalculation: bytesOf });
const valid = new WeakSet<DocumentNode>();
/** Cheap. What they refuse could take long to validate otherwise. */
const sizeRules = [introspectionRule, sameFieldRule];

/** Whether the text is that of a valid document. Others take time to parse and validate. */
export const isKnown = (source: unknown): boolean => typeof source === 'string' && cached.has(source);

/** The document of this text. Throws a GraphQLError if it does not parse. */
export const parseDocument = (source: string): DocumentNode => cached.get(source) ?? parse(source, { maxTokens });

/**
 * The errors of a document that `parseDocument` gave. A valid document is cached. `introspection`: whether it may ask for the
 * schema. `share`: whose CPU time it takes.
 */
export function validateDocument(
  document: DocumentNode,
  { introspection }: { readonly introspection: boolean } = { introspection: true },
  share?: Pick<Share, 'charge'>,
): readonly GraphQLError[] {
  if (!introspection && asksForSchema(document)) return validate(schema, document, [noIntrospectionRule]);
  if (valid.has(document)) return [];
  const before = process.threadCpuUsage();
  const errors = validateNew(document, introspection);
  const { user, system } = process.threadCpuUsage(before);
  share?.charge((user + system) / 1000);
  return errors;
}

function validateNew(document: DocumentNode, introspection: boolean): readonly GraphQLError[] {
  // Suggestions of similar names would tell the schema name by name.
  const sizeErrors = validate(schema, document, sizeRules);
  if (sizeErrors.length > 0) return sizeErrors;
  const errors = validate(schema, document, specifiedRules, { hideSuggestions: !introspection });
  if (errors.length > 0) return errors;
  valid.add(document);
  cached.set(document.loc?.source.body as string, document);
  return errors;
}

/** The text is searched first, because few operations have these names in it. */
const asksForSchema = (document: DocumentNode): boolean =>
  /__schema|__type\b/.test(document.loc?.source.body ?? '') && validate(schema, document, [noIntrospectionRule]).length > 0;

/** The type of the operation that would be executed. Undefined if there is none of this name; throws if the text does not parse. */
export const findOperationType = (source: string, operationName?: string | null): OperationTypeNode | undefined =>
  getOperationAST(parseDocument(source), operationName)?.operation;
