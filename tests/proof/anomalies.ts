// Everything that can go wrong: each is a change to a sound run, with the verdicts that it must cause.

import type { Verdict } from '../../proof/check/verdicts.ts';
import type { FinalEntry, FinalRoom, Line } from '../../proof/history.ts';
import { boundedDelayMs, bounds, type Run } from './sound-run.ts';

type Event = Extract<Line, { type: 'event' }>;

export interface Anomaly {
  readonly name: string;
  /** All verdicts that the checker must find. */
  readonly verdicts: readonly Verdict[];
  /** Changes the run. False if the run has no place for it. */
  plant(run: Run, choose: Choose): boolean;
}

/** One of the items, or undefined if there is none. */
export type Choose = <T>(items: readonly T[]) => T | undefined;

export const anomalies: readonly Anomaly[] = [
  {
    name: 'an acknowledged message that is not there',
    verdicts: ['lost'],
    plant({ lines, rooms }) {
      const [room] = rooms;
      if (!room) return false;
      lines.push(
        { type: 'invoke', at: 1000, attempt: 0, key: 'lost-key', writer: 'writer', room: room.room, node: 0 },
        { type: 'ok', at: 1000, attempt: 0, key: 'lost-key', id: 'msg_lost', number: 7, cursor: 'lost', deduplicated: false },
      );
      return true;
    },
  },
  {
    name: 'a message that has taken the place of an acknowledged one',
    verdicts: ['lost', 'differing'],
    plant: ({ lines }, choose) => replace(lines, choose(lines.filter((line) => line.type === 'ok')), (ok) => ({ ...ok, id: 'msg_other' })),
  },
  {
    name: 'a message under another number than was acknowledged',
    verdicts: ['lost', 'differing'],
    plant: ({ lines }, choose) =>
      replace(lines, choose(lines.filter((line) => line.type === 'ok')), (ok) => ({ ...ok, number: ok.number + 1 })),
  },
  {
    name: 'a message to a viewer who had signed out before it was sent',
    verdicts: ['leaked'],
    plant({ lines }, choose) {
      const event = choose(eventsOf(lines).filter((each) => each.event === 'MessageAdded' && invokeOf(lines, each)));
      const opened = lines.find((line) => line.type === 'open' && line.watcher === event?.watcher);
      const invoke = event && invokeOf(lines, event);
      if (!invoke || opened?.type !== 'open') return false;
      return insertBehind(lines, invoke, { type: 'signedOut', at: invoke.at, viewer: opened.viewer, withinMs: -1 });
    },
  },
  {
    name: 'a last entry that a watcher never got',
    verdicts: ['unseen'],
    plant: ({ lines, rooms }, choose) => replace(lines, choose(lastOfAll(lines, rooms))),
  },
  {
    name: 'an entry that a watcher never got, though the next one',
    verdicts: ['unseen', 'skipped'],
    plant: ({ lines }, choose) => replace(lines, choose(neighbours(lines))?.[0]),
  },
  {
    name: 'an entry that came after the next one',
    verdicts: ['skipped', 'outOfOrder'],
    plant({ lines }, choose) {
      const [first, second] = choose(neighbours(lines)) ?? [];
      if (!first || !second) return false;
      const [i, j] = [lines.indexOf(first), lines.indexOf(second)];
      lines[i] = { ...second, at: first.at };
      lines[j] = first;
      return true;
    },
  },
  {
    name: 'an event of a subscription that was completed',
    verdicts: ['stray'],
    plant({ lines }, choose) {
      const event = choose(lines.filter((line) => line.type === 'event'));
      if (!event) return false;
      const { at, watcher, event: name, cursor } = event;
      return insertBehind(lines, event, { type: 'stray', at, watcher, event: name, cursor });
    },
  },
  {
    name: 'an event of which an error took a part',
    verdicts: ['differing'],
    plant: ({ lines }, choose) =>
      replace(lines, choose(lines.filter((line) => line.type === 'event' && line.event !== 'CaughtUp')), (event) => ({
        ...event,
        error: 'INTERNAL',
      })),
  },
  {
    name: 'an entry from before the place where a watcher began',
    verdicts: ['outOfOrder'],
    plant({ lines, rooms }, choose) {
      const began = lines.filter(
        (line, i) => line.type === 'open' && !line.after.endsWith(':0') && !lines.slice(0, i).some((earlier) => sameWatcher(earlier, line)),
      );
      const open = choose(began);
      const room = open?.type === 'open' && rooms.find(({ room }) => room === open.room);
      if (!open || !room) return false;
      const entry = room.log.find(({ cursor }) => cursor === open.after) as FinalEntry;
      return insertBehind(lines, open, { type: 'event', at: open.at, watcher: open.watcher, room: open.room, ...entry });
    },
  },
  {
    name: 'an entry that came twice',
    verdicts: ['duplicated'],
    plant({ lines }, choose) {
      const event = choose(eventsOf(lines));
      return event !== undefined && insertBehind(lines, event, event);
    },
  },
  {
    name: 'an entry that came again after a break',
    verdicts: ['duplicated'],
    plant({ lines, rooms }, choose) {
      const event = choose(lastOfAll(lines, rooms));
      const open = lines.find((line) => line.type === 'open' && event && sameWatcher(line, event));
      if (!event || !open) return false;
      const at = event.at + 1;
      lines.push({ type: 'end', at, watcher: event.watcher, how: 'lost', why: 'cut' }, { ...open, at }, { ...event, at });
      return true;
    },
  },
  {
    name: 'an entry that the log does not hold',
    verdicts: ['phantom'],
    plant({ lines }, choose) {
      const event = choose(eventsOf(lines));
      return event !== undefined && insertBehind(lines, event, { ...event, cursor: 'nowhere' });
    },
  },
  {
    name: 'a message that nobody sent',
    verdicts: ['phantom'],
    plant(run, choose) {
      const { key } = choose(messagesOf(run).filter((message) => message.key !== null)) ?? {};
      if (!key) return false;
      run.lines = run.lines.filter((line) => !('key' in line) || line.key !== key);
      return true;
    },
  },
  {
    name: 'a message that was refused',
    verdicts: ['phantom'],
    plant({ lines }, choose) {
      const once = lines.filter((line) => line.type === 'ok' && attemptsOf(lines, line.key) === 1);
      return replace(lines, choose(once), ({ type: _, ...ok }) => ({ ...ok, type: 'fail', code: 'FORBIDDEN' }) as Line);
    },
  },
  ...(['id', 'number', 'body'] as const).map(
    (field): Anomaly => ({
      name: `a message that one watcher saw with another ${field}`,
      verdicts: ['differing'],
      plant(run, choose) {
        const seen = eventsOf(run.lines).filter(({ message }) => message && (field !== 'body' || !isChanged(run, message.id)));
        return replace(run.lines, choose(seen), (event) => ({
          ...event,
          message: { ...(event.message as NonNullable<Event['message']>), [field]: field === 'number' ? 1_000_000 : 'other' },
        }));
      },
    }),
  ),
  {
    name: 'an event that one watcher saw as another',
    verdicts: ['differing'],
    plant: ({ lines }, choose) => replace(lines, choose(eventsOf(lines)), (event) => ({ ...event, event: 'RoomUpdated' })),
  },
  {
    name: 'a message that its page shows otherwise than the log',
    verdicts: ['differing'],
    plant(run, choose) {
      const message = choose(messagesOf(run).filter(({ key }) => key !== null));
      if (message) Object.assign(message, { body: `${message.key} otherwise` });
      return message !== undefined;
    },
  },
  {
    name: 'a number that was left out',
    verdicts: ['misnumbered'],
    plant(run, choose) {
      const room = choose(run.rooms.filter(({ messages }) => messages.length > 0));
      const last = room?.messages.at(-1);
      if (!last) return false;
      const told = run.lines.map((line) => (line.type === 'event' ? line.message : line.type === 'ok' ? line : undefined));
      const kept = run.rooms.flatMap(({ log }) => log.map(({ message }) => message));
      const { id, number } = last;
      for (const message of [last, ...told, ...kept]) if (message?.id === id) Object.assign(message, { number: number + 1 });
      return true;
    },
  },
  {
    name: 'an entry after the one that took the right',
    verdicts: ['leaked'],
    plant({ lines, rooms }, choose) {
      const completed = lines.flatMap((line, i) => {
        if (line.type !== 'end' || line.how !== 'complete' || lines.slice(i + 1).some((later) => sameWatcher(later, line))) return [];
        const left = lines.slice(0, i).findLast((earlier) => earlier.type === 'event' && sameWatcher(earlier, line)) as Event;
        const { log } = rooms.find(({ room }) => room === left.room) as FinalRoom;
        const place = log.findIndex(({ cursor }) => cursor === left.cursor);
        const next = log[place + 1];
        const isBack = log.slice(place).some(({ event, userId }) => event === 'MemberJoined' && userId === left.userId);
        const { watcher, room } = left;
        return next && !isBack ? [{ line, event: { type: 'event', at: line.at, watcher, room, ...next } as const }] : [];
      });
      const { line, event } = choose(completed) ?? {};
      return line !== undefined && event !== undefined && insertBehind(lines, line, event);
    },
  },
  {
    name: 'an entry of another room',
    verdicts: ['leaked'],
    plant({ lines }, choose) {
      const event = choose(eventsOf(lines));
      const other = event && choose(eventsOf(lines).filter(({ room }) => room !== event.room));
      return other !== undefined && insertBehind(lines, event as Event, { ...other, watcher: (event as Event).watcher });
    },
  },
  {
    name: 'an entry of another room that calls itself one of this',
    verdicts: ['leaked'],
    plant({ lines }, choose) {
      const event = choose(eventsOf(lines));
      const other = event && choose(eventsOf(lines).filter(({ room }) => room !== event.room));
      const { watcher, room } = event ?? {};
      return other !== undefined && insertBehind(lines, event as Event, { ...other, watcher, room } as Event);
    },
  },
  {
    name: 'a CaughtUp that is ahead of what was delivered',
    verdicts: ['skipped'],
    plant({ lines }, choose) {
      const [first, second] = choose(neighbours(lines)) ?? [];
      const { watcher, room, at } = first ?? {};
      return (
        first !== undefined &&
        insertBehind(lines, first, { type: 'event', at, watcher, room, event: 'CaughtUp', cursor: second?.cursor } as Event)
      );
    },
  },
  {
    name: 'a message that came too late',
    verdicts: ['late'],
    plant({ lines, rooms }, choose) {
      const acknowledged = new Set(lines.flatMap((line) => (line.type === 'ok' ? [line.cursor] : [])));
      const event = choose(lastOfAll(lines, rooms).filter(({ cursor }) => acknowledged.has(cursor)));
      if (!event) return false;
      const at = Math.max(...lines.map((line) => line.at)) + bounds.healedMs + boundedDelayMs + 1;
      replace(lines, event);
      lines.push({ ...event, at });
      return true;
    },
  },
  {
    name: 'a node that crashed',
    verdicts: ['crashed'],
    plant: ({ lines }) => lines.push({ type: 'crash', at: 2000, node: 1, how: 'exit 1' }) > 0,
  },
];

/** The first attempt to send the message of an event. */
const invokeOf = (lines: readonly Line[], { message }: Event) =>
  lines.find((line) => line.type === 'invoke' && message?.body?.startsWith(line.key));

const eventsOf = (lines: readonly Line[]) => lines.filter((line): line is Event => line.type === 'event' && line.event !== 'CaughtUp');
const messagesOf = ({ rooms }: Run) => rooms.flatMap(({ messages }) => messages);
const attemptsOf = (lines: readonly Line[], key: string) => lines.filter((line) => line.type === 'invoke' && line.key === key).length;
const sameWatcher = (a: Line, b: Line) => 'watcher' in a && 'watcher' in b && a.watcher === b.watcher;

const isChanged = ({ rooms }: Run, id: string) =>
  rooms.some(({ log }) => log.some(({ event, message }) => event !== 'MessageAdded' && message?.id === id));

/** Pairs of entries that a watcher received one directly after the other, over one stream. */
function neighbours(lines: readonly Line[]): [Event, Event][] {
  const last = new Map<string, Line>();
  const pairs: [Event, Event][] = [];
  for (const line of lines) {
    if (!('watcher' in line)) continue;
    const before = last.get(line.watcher);
    if (before && isEntry(before) && isEntry(line)) pairs.push([before, line]);
    last.set(line.watcher, line);
  }
  return pairs;
}

const isEntry = (line: Line): line is Event => line.type === 'event' && line.event !== 'CaughtUp';

/** The last lines of the watchers that received the last entry of their room and nothing since. */
function lastOfAll(lines: readonly Line[], rooms: readonly FinalRoom[]): Event[] {
  const last = new Map(lines.flatMap((line) => ('watcher' in line ? [[line.watcher, line] as const] : [])));
  return [...last.values()].filter(isEntry).filter((event) => rooms.some(({ log }) => log.at(-1)?.cursor === event.cursor));
}

/** Puts another line in the place of this one, or none. */
function replace<T extends Line>(lines: Line[], line: T | undefined, by?: (line: T) => Line): boolean {
  if (line === undefined) return false;
  lines.splice(lines.indexOf(line), 1, ...(by ? [by(line)] : []));
  return true;
}

function insertBehind(lines: Line[], line: Line, added: Line): boolean {
  lines.splice(lines.indexOf(line) + 1, 0, added);
  return true;
}
