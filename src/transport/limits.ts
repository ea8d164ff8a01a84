// Limits of one request or socket. Each is checked before work is done for the request.

export const maxBodyBytes = 128 * 1024;
export const maxSocketMessageBytes = 64 * 1024;
/** Parts in which a message or a body may come: packets, fragments or chunks. A packet of the internet carries 500 bytes or more. */
export const maxMessageParts = 1000;
/** Requests that may wait on one connection for the answers to earlier ones. Browsers and proxies send one request at a time. */
export const maxPipelined = 32;
/** Operations under way at once on one socket. A subscription that waits for its client keeps one result in memory. */
export const maxOperations = 100;
/** Bytes of operations under way on one socket: their texts and variables, which are kept until they end. */
export const maxKeptBytes = 1024 * 1024;
/** Characters of the id of an operation. Each result carries the id. */
export const maxIdLength = 128;
/** Tokens of one document. The parser's recursion takes 1,000 nested fields; a full introspection has some 300 tokens. */
export const maxTokens = 2000;
/** Levels of lists and objects in variables and extensions. No input of the schema has more than ten. */
export const maxNesting = 100;

/**
 * Whether a parsed JSON value has more than `maxNesting` levels. Walks it level by level: the coercion of variables and
 * JSON.stringify are recursive, and some 10,000 levels overflow their stack.
 */
export function nestsTooDeeply(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; depth <= maxNesting; depth += 1) {
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []));
    if (level.length === 0) return false;
  }
  return true;
}

export const nestingMessage = `Variables and extensions may be nested ${maxNesting} levels deep.`;
