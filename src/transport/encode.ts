// Results as JSON. One that many subscribers share is encoded once.

import type { ExecutionResult } from 'graphql';

const encoded = new WeakMap<ExecutionResult, string>();

export function encode(result: ExecutionResult): string {
  const known = encoded.get(result);
  if (known !== undefined) return known;
  const text = JSON.stringify(result);
  encoded.set(result, text);
  return text;
}
