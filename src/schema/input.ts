// Validation of arguments. Each rule has the message that the client receives.

import { z } from 'zod';
import { isVisible, maxNameExcess, normalizeName } from '../chat/text.ts';
import { type IdKind, isWellFormed, kindOf } from '../storage/id.ts';

/** Text of at most `max` code points that is not blank. */
export const line = (max: number) => text(max).refine((value) => value.trim() !== '', 'must not be blank');

/** Text of at most `max` code points. PostgreSQL cannot store NUL, and UTF-8 cannot encode lone surrogates. */
export const text = (max: number) =>
  z
    .string()
    .refine((value) => value.length <= max || [...value].length <= max, `must be at most ${max} characters long`)
    .refine((value) => !value.includes('\0'), 'must not contain NUL')
    .refine((value) => value.isWellFormed(), 'must not contain lone surrogates');

/** The text of a message. It is kept as written, and refused if nobody could see it. */
export const visibleText = (max: number) => text(max).refine(isVisible, 'must have at least one visible character');

/** A name of at most `max` code points, in the form in which it is stored. */
export const visibleName = (max: number) =>
  text(max * maxNameExcess)
    .transform(normalizeName)
    .pipe(text(max).refine(isVisible, 'must have at least one visible character'));

/** Part of a name to search for: compatibility characters are looked for in the form in which names are stored. */
export const partOfName = (max: number) => text(max).transform((part) => part.normalize('NFKC'));

/** The URL of a picture, in the form in which it is stored. */
export const httpsUrl = (max: number) =>
  text(max)
    .refine((url) => URL.parse(url)?.protocol === 'https:', 'must be an https URL')
    .transform((url) => new URL(url).href)
    .pipe(text(max));

/** The id of a `kind`. A malformed id becomes an id that no object has, so that the client gets NOT_FOUND as for any unknown id. */
export const idOf = (kind: IdKind) =>
  z
    .string()
    .superRefine((id, context) => {
      const actual = kindOf(id);
      if (actual !== undefined && actual !== kind) context.addIssue(`takes the id of a ${kind}, and this is the id of a ${actual}`);
    })
    .transform((id) => (isWellFormed(id) ? id : `${kind}_`));

export const limits = {
  body: 4000,
  userName: 80,
  roomName: 100,
  description: 1000,
  subject: 200,
  clientMessageId: 128,
  memberIds: 100,
  url: 2000,
};
