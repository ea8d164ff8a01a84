// Global ids: a prefix that names the type, then a UUIDv7 in base32, so that new rows go to the end of their index.
// The form is that of TypeID (https://github.com/jetify-com/typeid), and it is the same in the database as in the API.

import { typeid } from 'typeid-js';

export const idKinds = ['user', 'room', 'membership', 'message'] as const;
export type IdKind = (typeof idKinds)[number];

export function newId(kind: IdKind): string {
  return typeid(kind).toString();
}

/** The type that an id claims, or undefined where it claims none. Says nothing of whether it exists. */
export function kindOf(id: string): IdKind | undefined {
  return idKinds.find((kind) => id.startsWith(`${kind}_`));
}

/** Whether the database may be asked for it: anything else, a NUL byte for one, exists nowhere. */
export function isWellFormed(id: string): boolean {
  return /^[a-z]+_[0-9a-z]{26}$/.test(id);
}
