// A room in the list: its title, its last message with the time, and how many messages of it are unread.

import { memo } from 'react';
import { useLanguage, useWords } from '../language.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { hrefOf } from '../route.ts';
import { briefly } from '../times.ts';
import type { OpenRoomPreview } from './open-rooms.ts';
import { iconOf, titleOf } from './title.ts';
import { Unread } from './unread.tsx';

interface Props {
  room: OpenRoomPreview;
  viewerId: string;
  current: boolean;
  unread: number;
  muted: boolean;
}

export const RoomLink = memo(function RoomLink({ room, viewerId, current, unread, muted }: Props) {
  const words = useWords();
  const language = useLanguage();
  const { id, kind, lastActiveAt, lastMessage, peer } = room;
  const title = titleOf(room);
  const body = lastMessage?.body?.replaceAll(/\s+/g, ' ').slice(0, 120);
  const sender = lastMessage?.sender?.id === viewerId ? words.you : (lastMessage?.sender?.name ?? words.someone);
  const preview = body === undefined ? words.nobodyYet : kind === 'DIRECT' && sender !== words.you ? body : words.saidBy(sender, body);
  return (
    <a
      className="room-link"
      href={hrefOf(id)}
      aria-current={current ? 'page' : undefined}
      data-unread={unread > 0 && !muted}
      data-muted={muted}
    >
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
      <span className="room-link-marks">
        {muted ? (
          <>
            <Icon name="muted" />
            <span className="visually-hidden">{words.muted}</span>
          </>
        ) : null}
        <Unread count={unread} />
      </span>
    </a>
  );
});
