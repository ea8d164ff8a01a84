// As the original, and also passes on every entry that arrives from the bus.

import { LiveRoom as Original } from '../../../../src/feed/live-room.ts';
import type { LogEntry } from '../../../../src/storage/room-log.ts';

export * from '../../../../src/feed/live-room.ts';

type Listener = (entry: LogEntry) => void;

const listeners = new Map<string, Set<Listener>>();

/** Calls `listener` with each entry that arrives for a watched room, until `ended` is aborted. */
export function listen(roomId: string, listener: Listener, ended: AbortSignal): void {
  const ofRoom = listeners.get(roomId) ?? new Set();
  listeners.set(roomId, ofRoom.add(listener));
  ended.addEventListener('abort', () => ofRoom.delete(listener));
}

export class LiveRoom extends Original {
  override receive(entry: Parameters<Original['receive']>[0]): void {
    super.receive(entry);
    if ('unknownType' in entry) return;
    for (const listener of listeners.get(this.roomId) ?? []) listener(entry);
  }
}
