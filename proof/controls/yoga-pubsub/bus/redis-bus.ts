// Publishes through the pub/sub of Yoga.

import { RedisBus as Original } from '../../../../src/bus/redis-bus.ts';
import type { LogEntry } from '../../../../src/storage/room-log.ts';
import { pubSub } from '../pub-sub.ts';

export * from '../../../../src/bus/redis-bus.ts';

export class RedisBus extends Original {
  override publish(entry: LogEntry): void {
    pubSub.publish('room', entry.roomId, entry);
  }
}
