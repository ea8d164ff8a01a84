// The sidebar: search, the two lists of rooms, and the button that creates a room.

import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useWords } from '../language.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Account } from '../session/account.tsx';
import type { Session } from '../session/session.ts';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';
import { NewRoom } from './new-room.tsx';
import { RoomLink } from './room-link.tsx';

export function Sidebar({ session, roomId }: { session: Session; roomId: string | undefined }) {
  const words = useWords();
  const { viewer, rooms } = useChat();
  const { mine, others, hasMoreOthers, incomplete, search, failing } = useStore(rooms.state);
  const [dialog, setDialog] = useState<'account' | 'newRoom'>();
  const list = useRef<HTMLElement>(null);
  useFocusOnReturn(list.current, roomId);
  const sections = [
    { title: words.yourRooms, rooms: mine },
    { title: words.otherRooms, rooms: others },
  ].filter((section) => section.rooms.length > 0);
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
        {failing ? <p className="rooms-note">{words.failing}</p> : null}
        {search === undefined && !failing ? <p className="rooms-note">{words.opening}</p> : null}
        {search !== undefined && sections.length === 0 ? (
          <p className="rooms-note">{search === '' ? words.noRooms : words.noneFound(search)}</p>
        ) : null}
        {sections.map(({ title, rooms: shown }) => (
          <section key={title}>
            <h2>{title}</h2>
            <ul>
              {shown.map((room) => (
                <li key={room.id}>
                  <RoomLink room={room} viewerId={viewer.id} current={room.id === roomId} />
                </li>
              ))}
            </ul>
          </section>
        ))}
        {hasMoreOthers ? (
          <button type="button" className="button" onClick={() => rooms.showMore()}>
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
