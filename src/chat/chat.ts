// Runs every change: lock the room, write, commit, and only then publish.

import type { Bus } from '../bus/bus.ts';
import { realClock } from '../clock.ts';
import { type LockedRoom, lockRoom } from '../storage/locked-room.ts';
import { findStandings, type Standing } from '../storage/members.ts';
import type { LogEntry } from '../storage/room-log.ts';
import { Rows } from '../storage/rows.ts';
import type { Db, Trx } from '../storage/tables.ts';
import { lockUsers } from '../storage/users.ts';
import { requireUsers } from './gone-user.ts';
import { Lane } from './lane.ts';
import { Quota } from './quota.ts';
import { RoomQueue } from './room-queue.ts';
import { SenderMarkers } from './sender-markers.ts';

/** Maximum number of waiting sends per node, and of moves of markers: about as many as a healthy database writes in a second. */
const maxWaiting = 10_000;
/** At most one wake for changes in this time, however many there are. */
const wakeIntervalMs = 50;

/** The dependencies of changes: the database, the bus, and the queues. */
export interface Chat {
  readonly db: Db;
  readonly rows: Rows;
  readonly bus: Bus;
  /** Sends to all rooms. */
  readonly sends: Lane;
  /** All other changes, and sends to a room that another transaction holds. */
  readonly rooms: RoomQueue;
  /** Moves of read markers. */
  readonly markers: Lane;
  /** What else each user changes that is not of one room, one after the other, so that one user does not occupy all connections. */
  readonly users: RoomQueue;
  /** The read markers of senders, which follow their messages. */
  readonly senderMarkers: SenderMarkers;
  /** Wakes the nodes to read what changed: see change-stream.ts. Called after each commit. */
  readonly announce: () => void;
}

export function openChat(db: Db, bus: Bus, clock = realClock): Chat {
  const options = { clock, quota: new Quota() };
  let isPlanned = false;
  const announce = () => {
    if (isPlanned) return;
    isPlanned = true;
    clock.after(wakeIntervalMs, () => {
      isPlanned = false;
      bus.wake('changes');
    });
  };
  return {
    ...{ db, rows: new Rows(db), bus, announce },
    sends: new Lane(maxWaiting, options),
    rooms: new RoomQueue(options),
    // With a quota of its own: who reads on many devices may send all the same.
    markers: new Lane(maxWaiting, { clock, quota: new Quota() }),
    users: new RoomQueue(options),
    senderMarkers: new SenderMarkers(db, announce, clock),
  };
}

/** A change of a room by a viewer. */
export interface RoomChange<Result> {
  /**
   * Users whose rows the change refers to by a foreign key. They are locked before the room, which is the order in which the
   * deletion of a user takes its locks. In the other order, the two would deadlock.
   */
  readonly users?: readonly string[];
  /** Throws if the viewer may not make the change. Returns the result if there is nothing to change. */
  readonly check: (standing: Standing | undefined) => Result | undefined;
  /** Writes the change, in a locked room. `standing` passed the check under the lock. */
  readonly work: (room: LockedRoom, standing: Standing) => Promise<Result>;
}

/**
 * Changes a room. Users without a row: see requireUsers.
 *
 * 1. The check reads without a lock, so that a viewer without the right occupies neither the room's lane nor a connection.
 * 2. The change waits in the room's lane, and locks the room's row.
 * 3. The check is repeated under the lock. This one decides, because the right may have ended meanwhile.
 */
export async function changeRoom<Result>(
  chat: Chat,
  viewerId: string,
  roomId: string,
  { users = [], check, work }: RoomChange<Result>,
  field?: string,
): Promise<Result> {
  const change = async () => {
    const unchanged = check(await chat.rows.standing(viewerId, roomId)); // 1
    if (unchanged !== undefined) return unchanged;
    return chat.rooms.lane(roomId).run(viewerId, () => commit(chat, locked)); // 2
  };
  const locked = async (trx: Trx) => {
    if (users.length > 0) await lockUsers(trx, users);
    const room = await lockRoom(trx, roomId);
    const [standing] = room ? await findStandings(trx, [{ viewerId, roomId }]) : [];
    const result = check(standing) ?? (await work(room as LockedRoom, standing as Standing)); // 3
    return { entries: room?.entries ?? [], result };
  };
  return requireUsers(chat.rows, viewerId, change, field);
}

/**
 * Runs `work` in a transaction and publishes its entries.
 *
 * 1. The transaction commits.
 * 2. The entries are published. This does not fail and is not waited for. Published before the commit, a node would read
 *    the log and find nothing; inside the transaction, a slow Redis would keep the room locked.
 */
export async function commit<T>(chat: Chat, work: (trx: Trx) => Promise<{ entries: readonly LogEntry[]; result: T }>): Promise<T> {
  const { entries, result } = await chat.db.transaction().execute(work); // 1
  publish(chat, entries); // 2
  return result;
}

/** Publishes committed entries to the nodes that watch their rooms, and wakes the nodes that follow all rooms. */
export function publish({ bus, announce }: Chat, entries: readonly LogEntry[]): void {
  for (const entry of entries) bus.publish(entry);
  if (entries.length > 0) announce();
}
