// The title and icon of a room. A direct room has the name of the other person.

import type { RoomKind } from '../gql/graphql.ts';

export const titleOf = ({ name, peer }: { name: string; peer: { name: string } | null }): string => peer?.name ?? name;

export const iconOf = (kind: RoomKind): 'open' | 'lock' | 'message' => (kind === 'OPEN' ? 'open' : kind === 'PRIVATE' ? 'lock' : 'message');
