// The sidebar: search, the two lists of rooms, and the button that creates a room.

import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { ListedRoomFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Account } from '../session/account.tsx';
import type { Session } from '../session/session.ts';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';
import { Departures } from './departures.tsx';
import { isMuted } from './muted.ts';
import { NewRoom } from './new-room.tsx';
import { RoomLink } from './room-link.tsx';
import { isCalled } from './title.ts';

export function Sidebar({ session, roomId }: { session: Session; roomId: string | undefined }) {
  const words = useWords();
  const { viewer, rooms } = useChat();
  const mine = useStore(rooms.mine.list);
  const { rooms: open, hasMore, incomplete, search, failing } = useStore(rooms.others.state);
  const searched = useStore(rooms.searched);
  const isFailing = useStore(rooms.mine.failing) || failing;
  const reading = useStore(rooms.reading);
  const [dialog, setDialog] = useState<'account' | 'newRoom'>();
  const list = useRef<HTMLElement>(null);
  useFocusOnReturn(list.current, roomId);
  const { run, busy } = useAction();
  const own = useMemo(() => mine?.rooms.filter((room) => isCalled(room, searched)) ?? [], [mine, searched]);
  const others = useMemo(() => open.filter(({ id }) => !mine?.rooms.some((room) => room.id === id)), [mine, open]);
  const isLoaded = mine !== undefined && search !== undefined;
  const unreadOf = ({ id, viewerMembership }: ListedRoomFragment) => (id === reading ? 0 : (viewerMembership?.unreadCount ?? 0));
  return (
    <div className="sidebar">
      <header>
        <div className="sidebar-head">
          <h1>Gapless</h1>
          <button
            type="button"
            className="account-button"
            aria-label={`${words.account}: ${viewer.name}`}
            onClick={() => setDialog('account')}
          >
            <Avatar {...viewer} />
          </button>
        </div>
        <div className="sidebar-tools">
          <label className="search">
            <Icon name="search" />
            <input
              type="search"
              aria-label={words.searchRooms}
              placeholder={words.searchRooms}
              onChange={({ target }) => rooms.search(target.value)}
            />
          </label>
          <button
            type="button"
            className="icon-button primary"
            aria-label={words.newRoom}
            title={words.newRoom}
            onClick={() => setDialog('newRoom')}
          >
            <Icon name="add" />
          </button>
        </div>
      </header>
      <nav className="rooms" ref={list} aria-label={words.rooms} onKeyDown={moveFocus}>
        {isFailing ? <p className="rooms-note">{words.failing}</p> : null}
        {isLoaded || isFailing ? null : <p className="rooms-note">{words.opening}</p>}
        {isLoaded && own.length + others.length === 0 ? (
          <p className="rooms-note">{searched === '' ? words.noRooms : words.noneFound(searched)}</p>
        ) : null}
        <Departures roomId={roomId} />
        {own.length === 0 ? null : (
          <section>
            <div className="rooms-head">
              <h2>{words.yourRooms}</h2>
              {mine && mine.unread.rooms > 0 ? (
                <button type="button" className="text-button small" disabled={busy} onClick={() => void run(() => rooms.markAllRead())}>
                  {words.markAllRead}
                </button>
              ) : null}
            </div>
            <ul>
              {own.map((room) => (
                <li key={room.id}>
                  <RoomLink
                    room={room}
                    viewerId={viewer.id}
                    current={room.id === roomId}
                    unread={unreadOf(room)}
                    muted={isMuted(room.viewerMembership)}
                  />
                </li>
              ))}
            </ul>
          </section>
        )}
        {others.length === 0 ? null : (
          <section>
            <h2>{words.otherRooms}</h2>
            <ul>
              {others.map((room) => (
                <li key={room.id}>
                  <RoomLink room={room} viewerId={viewer.id} current={room.id === roomId} unread={0} muted={false} />
                </li>
              ))}
            </ul>
          </section>
        )}
        {hasMore ? (
          <button type="button" className="button" onClick={() => rooms.others.showMore()}>
            {words.showMore}
          </button>
        ) : null}
        {incomplete ? <p className="rooms-note">{words.searchForMore}</p> : null}
      </nav>
      <a className="developers" href="graphql">
        {words.developers}
      </a>
      {dialog === 'account' ? <Account session={session} onClose={() => setDialog(undefined)} /> : null}
      {dialog === 'newRoom' ? <NewRoom onClose={() => setDialog(undefined)} /> : null}
    </div>
  );
}

/** Moves the focus between rooms with the arrow keys, Home and End. */
function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  const step = steps[event.key];
  if (step === undefined) return;
  const links = [...event.currentTarget.querySelectorAll('a')];
  const at = links.indexOf(document.activeElement as HTMLAnchorElement);
  if (at < 0) return;
  event.preventDefault();
  links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
}

/** Moves the focus to the link of the room that was just closed. */
function useFocusOnReturn(list: HTMLElement | null, roomId: string | undefined): void {
  const last = useRef(roomId);
  useEffect(() => {
    if (roomId === undefined && last.current !== undefined) list?.querySelector<HTMLElement>(`a[href$="${last.current}"]`)?.focus();
    last.current = roomId;
  }, [list, roomId]);
}
