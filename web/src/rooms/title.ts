// The title and icon of a room, and the search by title. A direct room has the name of the other person.

import type { RoomKind } from '../gql/graphql.ts';

export const titleOf = ({ name, peer }: { name: string; peer: { name: string } | null }): string => peer?.name ?? name;

const folded = (text: string) => text.normalize('NFKC').toLowerCase();

/** Whether the title contains the text. */
export const isCalled = (room: { name: string; peer: { name: string } | null }, text: string): boolean =>
  folded(titleOf(room)).includes(folded(text));

export const iconOf = (kind: RoomKind): 'open' | 'lock' | 'message' => (kind === 'OPEN' ? 'open' : kind === 'PRIVATE' ? 'lock' : 'message');
