// Limits the size of an answer. The size is measured before the JSON is built: a result refers to each text once, however often
// the text is selected, so that only its JSON can be large.

import type { ExecutionResult } from 'graphql';

const maxAnswerMiB = 8;
export const maxAnswerBytes = maxAnswerMiB * 1024 * 1024;

/** A result that may have more bytes is large: its size is kept, so that a client that does not read it can be refused. */
export const largeBytes = 64 * 1024;
/** Above it, the size is measured exactly. */
const exactBytes = 512 * 1024;
const sizes = new WeakMap<ExecutionResult, number>();

/** Whether the JSON of the result has more than `maxAnswerBytes`. Takes one or two microseconds for a message. */
export const isTooLarge = (result: ExecutionResult): boolean => measure(result) === Number.POSITIVE_INFINITY;

/** The largest size that the JSON of the result can have, in bytes. Infinity if it has more than `maxAnswerBytes`. */
export function measure(result: ExecutionResult): number {
  // Nearly every result is small whatever its texts contain, and need not be measured exactly.
  const most = count(result, mostBytesOf);
  const size = most <= exactBytes ? most : count(result, bytesOf);
  if (size >= largeBytes) sizes.set(result, size);
  return size;
}

/** The size of a large result that was measured. 0 for any other. */
export const largeSizeOf = (result: ExecutionResult): number => sizes.get(result) ?? 0;

export const tooLargeMessage = `The answer would have more than ${maxAnswerMiB} MiB. Request smaller pages or fewer fields.`;

/** The bytes of the result, or Infinity if there are more than `maxAnswerBytes`. */
function count(result: ExecutionResult, bytesOfText: (text: string) => number): number {
  let bytesLeft = maxAnswerBytes;
  const fits = (value: unknown): boolean => {
    if (typeof value === 'string') bytesLeft -= bytesOfText(value);
    else if (typeof value !== 'object' || value === null) bytesLeft -= String(value).length;
    else if (Array.isArray(value)) {
      bytesLeft -= 2 + value.length;
      return value.every(fits);
    } else {
      for (const key in value) {
        bytesLeft -= bytesOfText(key) + 2;
        if (!fits((value as Record<string, unknown>)[key])) return false;
      }
    }
    return bytesLeft >= 0;
  };
  const isWithin = fits(result.data) && (result.errors ?? []).every((error) => fits(error.toJSON()));
  return isWithin ? maxAnswerBytes - bytesLeft : Number.POSITIVE_INFINITY;
}

/** A UTF-16 code unit has at most 3 bytes in UTF-8, and 6 if JSON escapes it. */
const mostBytesOf = (text: string): number => 6 * text.length + 2;
const bytesOf = (text: string): number => Buffer.byteLength(JSON.stringify(text));
