// Notifications of the browser for new messages in rooms that are not muted. Permission is asked for by a click, never when the
// page is opened.

import type { ListedRoomFragment } from '../gql/graphql.ts';
import { currentWords } from '../language.ts';
import { hrefOf, openRoomAt } from '../route.ts';
import { local } from '../storage.ts';
import { Store } from '../store.ts';
import { isMuted } from './muted.ts';
import type { MyRoomList } from './my-rooms.ts';
import { titleOf } from './title.ts';

const key = 'gapless.notifications';
const longestText = 200;

/** `unavailable`: the browser has none, or the viewer has refused them in it. */
export type Notifying = 'on' | 'off' | 'unavailable';

export class Notifier {
  readonly state = new Store<Notifying>(find());
  readonly #viewerId: string;

  constructor(viewerId: string) {
    this.#viewerId = viewerId;
  }

  /** For a click: the browser asks the viewer. */
  async turnOn(): Promise<void> {
    local.set(key, 'on');
    if (Notification.permission === 'default') await Notification.requestPermission();
    this.state.set(find());
  }

  turnOff(): void {
    local.set(key, 'off');
    this.state.set(find());
  }

  /** Notifies of the messages that `now` has and `before` does not. `reading` is the room that the viewer looks at. */
  tell(before: MyRoomList, now: MyRoomList, reading: string | undefined): void {
    if (this.state.value !== 'on') return;
    const known = new Map(before.rooms.map((room) => [room.id, room]));
    for (const room of now.rooms) {
      if (room === known.get(room.id) || room.id === reading || !this.#isWanted(room, known.get(room.id))) continue;
      void show(room);
    }
  }

  #isWanted({ kind, lastMessage, talkCount, viewerMembership }: ListedRoomFragment, before: ListedRoomFragment | undefined): boolean {
    const isNew = talkCount > (before?.talkCount ?? 0) && (viewerMembership?.unreadCount ?? 0) > 0;
    if (!isNew || !lastMessage || lastMessage.sender?.id === this.#viewerId || isMuted(viewerMembership)) return false;
    const level = viewerMembership?.notificationLevel ?? 'ALL';
    return level === 'ALL' || (level === 'MENTIONS' && kind === 'DIRECT');
  }
}

function find(): Notifying {
  if (!('Notification' in window) || Notification.permission === 'denied') return 'unavailable';
  return Notification.permission === 'granted' && local.get(key) === 'on' ? 'on' : 'off';
}

/** By the service worker of the page, if an application has one: only so does a phone show notifications. */
async function show(room: ListedRoomFragment): Promise<void> {
  const { id, kind, lastMessage } = room;
  const words = currentWords();
  const text = (lastMessage?.body ?? '').slice(0, longestText);
  const title = titleOf(room);
  // Of several tabs that notify of a message, the last replaces the others.
  const options = { body: kind === 'DIRECT' ? text : words.saidBy(lastMessage?.sender?.name ?? words.someone, text), tag: id };
  const worker = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
  try {
    if (worker?.active) return await worker.showNotification(title, { ...options, data: { href: hrefOf(id) } });
    const notification = new Notification(title, options);
    notification.onclick = () => {
      window.focus();
      openRoomAt(id);
      notification.close();
    };
  } catch {
    // A browser that has notifications only by a service worker.
  }
}
