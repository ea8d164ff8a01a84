// Limits the size of an answer. The size is measured before the JSON is built: a result refers to each text once, however often
// the text is selected, so that only its JSON can be large.

import type { ExecutionResult } from 'graphql';

const maxAnswerMiB = 8;
export const maxAnswerBytes = maxAnswerMiB * 1024 * 1024;

/** Whether the JSON of the result has more than `maxAnswerBytes`. Takes one or two microseconds for a message. */
export const isTooLarge = (result: ExecutionResult): boolean =>
  // Nearly every result is within the limit whatever its texts contain, and need not be measured exactly.
  exceedsLimit(result, mostBytesOf) && exceedsLimit(result, bytesOf);

export const tooLargeMessage = `The answer would have more than ${maxAnswerMiB} MiB. Request smaller pages or fewer fields.`;

function exceedsLimit(result: ExecutionResult, bytesOfText: (text: string) => number): boolean {
  let bytesLeft = maxAnswerBytes;
  const count = (value: unknown): boolean => {
    if (typeof value === 'string') bytesLeft -= bytesOfText(value);
    else if (typeof value !== 'object' || value === null) bytesLeft -= String(value).length;
    else if (Array.isArray(value)) {
      bytesLeft -= 2 + value.length;
      return value.every(count);
    } else {
      for (const key in value) {
        bytesLeft -= bytesOfText(key) + 2;
        if (!count((value as Record<string, unknown>)[key])) return false;
      }
    }
    return bytesLeft >= 0;
  };
  return !(count(result.data) && (result.errors ?? []).every((error) => count(error.toJSON())));
}

/** A UTF-16 code unit has at most 3 bytes in UTF-8, and 6 if JSON escapes it. */
const mostBytesOf = (text: string): number => 6 * text.length + 2;
const bytesOf = (text: string): number => Buffer.byteLength(JSON.stringify(text));
