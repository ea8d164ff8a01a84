// A room in the list: its title, and its last message with the time.

import { memo } from 'react';
import type { RoomPreviewFragment } from '../gql/graphql.ts';
import { useLanguage, useWords } from '../language.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { hrefOf } from '../route.ts';
import { briefly } from '../times.ts';
import { iconOf, titleOf } from './title.ts';

interface Props {
  room: RoomPreviewFragment;
  viewerId: string;
  current: boolean;
}

export const RoomLink = memo(function RoomLink({ room, viewerId, current }: Props) {
  const words = useWords();
  const language = useLanguage();
  const { id, kind, lastActiveAt, lastMessage, peer } = room;
  const title = titleOf(room);
  const body = lastMessage?.body?.replaceAll(/\s+/g, ' ').slice(0, 120);
  const sender = lastMessage?.sender?.id === viewerId ? words.you : (lastMessage?.sender?.name ?? words.someone);
  const preview = body === undefined ? words.nobodyYet : kind === 'DIRECT' && sender !== words.you ? body : words.saidBy(sender, body);
  return (
    <a className="room-link" href={hrefOf(id)} aria-current={current ? 'page' : undefined}>
      {peer ? (
        <Avatar {...peer} />
      ) : (
        <span className="room-icon">
          <Icon name={iconOf(kind)} />
        </span>
      )}
      <span className="room-link-title">{title}</span>
      <time className="room-link-time" dateTime={lastActiveAt}>
        {briefly(lastActiveAt, language)}
      </time>
      <span className="room-link-preview">{preview}</span>
    </a>
  );
});
