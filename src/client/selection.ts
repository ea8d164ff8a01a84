// Checks that the text of a subscription selects what resuming needs. It searches the text, because a GraphQL parser would
// be a dependency.

const stringsAndComments = /"""[\s\S]*?"""|"(?:\\.|[^"\\])*"|#[^\n]*/g;
const wordsOf = (query: string) => query.replaceAll(stringsAndComments, ' ');

/** The fields with an event that says that nothing is missing, and the type of that event. */
export const caughtUpOf = { roomEvents: 'CaughtUp', viewerEvents: 'ViewerCaughtUp' } as const;
export type FieldThatCatchesUp = keyof typeof caughtUpOf;

/** The field of the subscription, if it is one of these. */
export function findFieldThatCatchesUp(query: string): FieldThatCatchesUp | undefined {
  const words = wordsOf(query);
  return (Object.keys(caughtUpOf) as FieldThatCatchesUp[]).find((field) => new RegExp(`\\b${field}\\b`).test(words));
}

/** The message of the error for a subscription that cannot be resumed. Undefined if it can. */
export function faultOf(query: string): string | undefined {
  const words = wordsOf(query);
  if (!/\bcursor\b/.test(words)) return missingCursor;
  if (!/\bafter\s*:\s*\$after\b/.test(words)) {
    return 'The subscription does not use $after, so it cannot be resumed: declare `$after: String` and pass it to the field as `after: $after`.';
  }
  const field = findFieldThatCatchesUp(words);
  if (field && !/\b__typename\b/.test(words)) {
    return `The subscription does not select \`__typename\` of ${field}, so ${caughtUpOf[field]} cannot be recognised: select \`__typename\`.`;
  }
  return undefined;
}

/** Also the error for an event without a cursor: the text may select the cursor of something else. */
export const missingCursor =
  'The subscription does not select `cursor` of its events, so it cannot be resumed: select `cursor` beside the other fields of the event.';
