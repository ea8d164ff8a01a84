// Which fields of the root types an answer has data for. It shows that random operations reach the whole schema.

import type { Operation } from './documents.ts';

/** The fields, as in `Operation.roots`. `text` has answers of HTTP, events, or messages of a socket. */
export function answersIn(text: string, operations: readonly Operation[]): string[] {
  return dataIn(text).flatMap((data) =>
    operations.flatMap(({ roots }) => Object.keys(data).flatMap((name) => (data[name] == null ? [] : (roots.get(name) ?? [])))),
  );
}

function dataIn(text: string): Record<string, unknown>[] {
  return text.split('\n').flatMap((line) => {
    const json = line.slice(line.indexOf('{'));
    if (!/^\{"(data|errors|id)"/.test(json)) return [];
    try {
      const parsed = JSON.parse(json);
      return (parsed.payload ?? parsed).data ?? [];
    } catch {
      // It was cut off.
      return [];
    }
  });
}
