// Checks that the text of a subscription selects what resuming needs. It searches the text, because a GraphQL parser would
// be a dependency.

const stringsAndComments = /"""[\s\S]*?"""|"(?:\\.|[^"\\])*"|#[^\n]*/g;
const wordsOf = (query: string) => query.replaceAll(stringsAndComments, ' ');

export const isRoomEvents = (query: string): boolean => /\broomEvents\b/.test(wordsOf(query));

/** The message of the error for a subscription that cannot be resumed. Undefined if it can. */
export function faultOf(query: string): string | undefined {
  const words = wordsOf(query);
  if (!/\bcursor\b/.test(words)) return missingCursor;
  if (!/\bafter\s*:\s*\$after\b/.test(words)) {
    return 'The subscription does not use $after, so it cannot be resumed: declare `$after: String` and pass it to the field as `after: $after`.';
  }
  if (isRoomEvents(words) && !/\b__typename\b/.test(words)) {
    return 'The subscription does not select `__typename` of roomEvents, so CaughtUp cannot be recognised: select `__typename`.';
  }
  return undefined;
}

/** Also the error for an event without a cursor: the text may select the cursor of something else. */
export const missingCursor =
  'The subscription does not select `cursor` of its events, so it cannot be resumed: select `cursor` beside the other fields of the event.';
