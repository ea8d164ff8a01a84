// Global ids: a prefix that names the type, then a UUIDv7 in base32, so that new rows go to the end of their index.
// The form is that of TypeID (https://github.com/jetify-com/typeid), and it is the same in the database as in the API.

import { typeid } from 'typeid-js';

const idKinds = ['user', 'room', 'membership', 'message'] as const;
export type IdKind = (typeof idKinds)[number];

export function newId(kind: IdKind): string {
  return typeid(kind).toString();
}

/** The type that the prefix of an id names. Undefined if it names none. Does not check whether the object exists. */
export function kindOf(id: string): IdKind | undefined {
  return idKinds.find((kind) => id.startsWith(`${kind}_`));
}

/** Whether the id may be used in a query. A malformed id, such as one with a NUL byte, would fail the statement. */
export function isWellFormed(id: string): boolean {
  return /^[a-z]+_[0-9a-z]{26}$/.test(id);
}

/** `Viewer.id`: an id of its own, because caches such as Relay's hold one record per id. */
export const viewerIdOf = (userId: string): string => userId.replace(/^user_/, 'viewer_');
