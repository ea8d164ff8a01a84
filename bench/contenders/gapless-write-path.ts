// Calls the write path of a send concurrently, without HTTP, WebSocket and GraphQL.

import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryBus } from '../../src/bus/memory-bus.ts';
import { openChat } from '../../src/chat/chat.ts';
import { sendMessage } from '../../src/chat/messages.ts';
import { createRoom } from '../../src/chat/rooms.ts';
import { createLog } from '../../src/log.ts';
import { openStorage } from '../../src/storage/database.ts';
import { createGuest } from '../../src/storage/users.ts';
import { body } from '../load/protocol.ts';

const { DATABASE_URL: databaseUrl = '', CALLERS, WARM_UP_MS, WINDOW_MS } = process.env;
const poolSize = 10;

await using storage = await openStorage({ databaseUrl, poolSize }, createLog('warn'));
await using bus = new MemoryBus();
const { db } = storage;
const chat = openChat(db, bus);

const callers = await Promise.all(Array.from({ length: Number(CALLERS) }, (_, index) => createGuest(db, `Person ${index}`)));
const [owner, ...others] = callers.map(({ id }) => id) as [string, ...string[]];
const { id: roomId } = await createRoom(chat, owner, { kind: 'OPEN', name: 'Hot', memberIds: others });

let sent = 0;
let isRunning = true;
const sendLoop = async ({ id }: { id: string }) => {
  while (isRunning) {
    await sendMessage(chat, id, { roomId, body, clientMessageId: crypto.randomUUID() });
    sent += 1;
  }
};
const all = Promise.all(callers.map(sendLoop));

await sleep(Number(WARM_UP_MS));
console.log('counting');
const [startMs, before] = [performance.now(), sent];
await sleep(Number(WINDOW_MS));
console.log(`sends a second: ${(1000 * (sent - before)) / (performance.now() - startMs)}`);
isRunning = false;
await all;
