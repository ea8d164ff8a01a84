// Checks that rooms and events have the fields that a list of the viewer's rooms is computed from.

const membershipFields = ['unreadCount', 'readThrough', 'readVersion', 'mutedUntil', 'room.revision', 'room.talkCount'];
const roomFields = ['id', 'lastActiveAt', 'revision', 'talkCount'];
const within = (name: string, fields: readonly string[]) => fields.map((field) => `${name}.${field}`);

/** The fields of a room that is new in the list. */
const addedRoomFields = [...roomFields, 'viewerMembership', ...within('viewerMembership', membershipFields)];

/** Of an unknown type, only the cursor is read. */
const eventFields: Readonly<Record<string, readonly string[]>> = {
  ViewerRoomAdded: ['at', ...within('room', addedRoomFields)],
  ViewerRoomChanged: ['at', 'roomId', ...within('room', roomFields.slice(1)), 'deleted', 'deleted.number', 'deleted.revision'],
  ViewerRoomRemoved: ['at', 'roomId'],
  ViewerMembershipChanged: ['at', 'roomId', ...within('membership', membershipFields)],
  ViewerChanged: ['at'],
  ViewerCaughtUp: ['at', 'complete'],
};

/** Throws a TypeError that names the fields that the operation does not select. */
export function requireEventFields(event: { readonly __typename?: string | undefined }): void {
  const { __typename: type } = event;
  if (type === undefined) throw new TypeError('The event has no `__typename`: select `__typename` of viewerEvents.');
  requireFields(type, event, eventFields[type] ?? []);
}

export const requireRoomFields = (room: object): void => requireFields('Room', room, addedRoomFields);

function requireFields(type: string, value: object, fields: readonly string[]): void {
  const missing = fields.filter((field) => isMissing(value, field.split('.')));
  if (missing.length === 0) return;
  throw new TypeError(`Unread messages cannot be counted without these fields of ${type}: select \`${missing.join('`, `')}\`.`);
}

/** A field of null is not missing. A field of a list is that of its elements. */
function isMissing(value: unknown, path: readonly string[]): boolean {
  const [name, ...rest] = path;
  if (name === undefined) return value === undefined;
  if (value === null) return false;
  if (Array.isArray(value)) return value.some((element) => isMissing(element, path));
  return isMissing((value as Record<string, unknown> | undefined)?.[name], rest);
}
