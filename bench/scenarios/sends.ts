// Durable sends without subscribers: the cost of writing messages.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender.ts';
import { oneTransactionPerSend } from '../contenders/gapless.ts';
import { type Fixture, routesOf } from '../load/fixture.ts';
import { inParallel } from '../load/parallel.ts';
import { openHttpSender, openSocketSender, type Sender } from '../load/senders.ts';
import type { Rig } from '../rig/rig.ts';
import type { Server } from '../rig/server.ts';
import type { Pace, Sample, Scenario } from './scenario.ts';
import { measureWritePath } from './write-path.ts';

const senders = 64;
const roomCounts = { oneRoom: 1, manyRooms: 1000 };

export const sends: Scenario = {
  number: 4,
  title: 'Durable sends',
  text: `${senders} senders, each with its own connection, send one message after the other, each as soon as the last one is acknowledged: all into one room, or into 1,000 rooms in turn. There are no subscribers. The write path is Gapless without HTTP, WebSocket and GraphQL, called ${senders} times concurrently in the server’s own process.`,
  connections: senders,
  figures: [
    { id: 'sends.oneRoom.http', title: 'one room, HTTP', unit: '/s', chart: 'more is better' },
    { id: 'sends.oneRoom.webSocket', title: 'one room, WebSocket', unit: '/s', chart: 'more is better' },
    { id: 'sends.manyRooms.http', title: '1,000 rooms, HTTP', unit: '/s', chart: 'more is better' },
    { id: 'sends.manyRooms.webSocket', title: '1,000 rooms, WebSocket', unit: '/s', chart: 'more is better' },
    { id: 'sends.writePath', title: 'write path, one room', unit: '/s', chart: 'more is better' },
  ],
  contenders: (all) => all.flatMap((each) => (each.name === 'gapless' ? [each, oneTransactionPerSend] : [each])),
  async run(rig, contender, pace) {
    const of = contender.name;
    const samples = await rig.with(contender, async (server) => {
      const found: Sample[] = [];
      for (const [name, rooms] of Object.entries(roomCounts)) {
        const fixture = await contender.prepare(server.port, { rooms, viewers: 0, senders });
        for (const [transport, open] of transportsOf(contender, server)) {
          const openSenders = await inParallel(fixture.senders, senders, open);
          found.push({ figure: `sends.${name}.${transport}`, of, ...(await sendAll(rig, server, fixture, openSenders, pace)) });
        }
      }
      return found;
    });
    if (contender.writePath) samples.push({ figure: 'sends.writePath', of, ...(await measureWritePath(rig, contender, senders, pace)) });
    return samples;
  },
};

type Transport = [name: string, open: (token: string | undefined) => Promise<Sender>];

function transportsOf({ http, webSocket }: Contender, { port }: Server): Transport[] {
  const overWebSocket: Transport = ['webSocket', (token) => openSocketSender(port, webSocket, token)];
  return http ? [['http', (token) => openHttpSender(port, http, token)], overWebSocket] : [overWebSocket];
}

/** Measures sends per second. Closes the senders. */
async function sendAll(
  rig: Rig,
  server: Server,
  fixture: Fixture,
  openSenders: readonly Sender[],
  pace: Pace,
): Promise<Pick<Sample, 'value' | 'doubts'>> {
  const routes = routesOf({ rooms: fixture.rooms.length, senders: openSenders.length });
  let sent = 0;
  let isRunning = true;
  const sendLoop = async (sender: Sender, index: number) => {
    const rooms = routes.filter((route) => route.sender === index).map(({ room }) => fixture.rooms[room] as string);
    for (let turn = 0; isRunning; turn += 1) {
      await sender.send(rooms[turn % rooms.length] as string);
      sent += 1;
    }
  };
  const all = Promise.all(openSenders.map(sendLoop));
  const measure = async () => {
    await sleep(pace.warmUpMs / 2);
    return rig.measure([server], async () => {
      const before = sent;
      await sleep(pace.sendsMs);
      return sent - before;
    });
  };
  try {
    // The senders end before the measurement only if a send fails.
    const { result, seconds, doubts } = await Promise.race([measure(), all.then(() => Promise.reject(new Error('The senders stopped.')))]);
    isRunning = false;
    await all;
    return { value: result / seconds, doubts };
  } finally {
    isRunning = false;
    for (const sender of openSenders) sender[Symbol.dispose]();
  }
}
