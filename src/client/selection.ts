// What an operation has to say for its subscription to be resumed. Looked at by its text: a parser would be a dependency.

const stringsAndComments = /"""[\s\S]*?"""|"(?:\\.|[^"\\])*"|#[^\n]*/g;
const wordsOf = (query: string) => query.replaceAll(stringsAndComments, ' ');

export const isRoomEvents = (query: string): boolean => /\broomEvents\b/.test(wordsOf(query));

/** Why a subscription with this text could not be resumed. Undefined where it can. */
export function faultOf(query: string): string | undefined {
  const words = wordsOf(query);
  if (!/\bcursor\b/.test(words)) return withoutCursor;
  if (!/\bafter\s*:\s*\$after\b/.test(words)) {
    return 'The subscription has no $after, so it could not go on from where it was: declare `$after: String`, and hand it to the field as `after: $after`.';
  }
  if (isRoomEvents(words) && !/\b__typename\b/.test(words)) {
    return 'The subscription does not select `__typename` of roomEvents, so it could not know CaughtUp, which tells that it is live: add it.';
  }
  return undefined;
}

/** What is said of an event that comes without its cursor as well, whatever the text looks like. */
export const withoutCursor =
  'The subscription does not select `cursor` of its events, so it could not go on from where it was: add `cursor` beside the fields of the event.';
