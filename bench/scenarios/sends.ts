// Messages that nobody watches: what it takes to keep them.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender.ts';
import { oneTransactionASend } from '../contenders/gapless.ts';
import { inParallel } from '../load/parallel.ts';
import { openHttpSender, openSocketSender, type Sender } from '../load/senders.ts';
import { routesOf, type Stage } from '../load/stage.ts';
import type { Rig } from '../rig/rig.ts';
import type { Server } from '../rig/server.ts';
import type { Pace, Sample, Scenario } from './scenario.ts';
import { measureWritePath } from './write-path.ts';

const senders = 64;
const roomCounts = { oneRoom: 1, manyRooms: 1000 };

export const sends: Scenario = {
  number: 4,
  title: 'Durable sends',
  text: `${senders} senders, each with a connection of its own, send one message after the other, each as soon as the last is acknowledged: all into one room, or into 1,000 rooms in turn. Nobody watches. The write path is Gapless without its doors: what a send comes to, called ${senders} times at once in the server’s own process.`,
  connections: senders,
  figures: [
    { id: 'sends.oneRoom.http', title: 'one room, HTTP', unit: '/s', chart: 'more is better' },
    { id: 'sends.oneRoom.webSocket', title: 'one room, WebSocket', unit: '/s', chart: 'more is better' },
    { id: 'sends.manyRooms.http', title: '1,000 rooms, HTTP', unit: '/s', chart: 'more is better' },
    { id: 'sends.manyRooms.webSocket', title: '1,000 rooms, WebSocket', unit: '/s', chart: 'more is better' },
    { id: 'sends.writePath', title: 'write path, one room', unit: '/s', chart: 'more is better' },
  ],
  contenders: (all) => all.flatMap((each) => (each.name === 'gapless' ? [each, oneTransactionASend] : [each])),
  async run(rig, contender, pace) {
    const of = contender.name;
    const samples = await rig.with(contender, async (server) => {
      const found: Sample[] = [];
      for (const [name, rooms] of Object.entries(roomCounts)) {
        const stage = await contender.prepare(server.port, { rooms, viewers: 0, senders });
        for (const [door, open] of doorsOf(contender, server)) {
          const crew = await inParallel(stage.senders, senders, open);
          found.push({ figure: `sends.${name}.${door}`, of, ...(await sendAll(rig, server, stage, crew, pace)) });
        }
      }
      return found;
    });
    if (contender.writePath) samples.push({ figure: 'sends.writePath', of, ...(await measureWritePath(rig, contender, senders, pace)) });
    return samples;
  },
};

type Door = [name: string, open: (ticket: string | undefined) => Promise<Sender>];

function doorsOf({ http, webSocket }: Contender, { port }: Server): Door[] {
  const overWebSocket: Door = ['webSocket', (ticket) => openSocketSender(port, webSocket, ticket)];
  return http ? [['http', (ticket) => openHttpSender(port, http, ticket)], overWebSocket] : [overWebSocket];
}

/** Sends a second. Disposes of the crew. */
async function sendAll(
  rig: Rig,
  server: Server,
  stage: Stage,
  crew: readonly Sender[],
  pace: Pace,
): Promise<Pick<Sample, 'value' | 'doubts'>> {
  const routes = routesOf({ rooms: stage.rooms.length, senders: crew.length });
  let sent = 0;
  let going = true;
  const sendOn = async (sender: Sender, index: number) => {
    const rooms = routes.filter((route) => route.sender === index).map(({ room }) => stage.rooms[room] as string);
    for (let turn = 0; going; turn += 1) {
      await sender.send(rooms[turn % rooms.length] as string);
      sent += 1;
    }
  };
  const all = Promise.all(crew.map(sendOn));
  const measure = async () => {
    await sleep(pace.warmUpMs / 2);
    return rig.measure([server], async () => {
      const before = sent;
      await sleep(pace.sendsMs);
      return sent - before;
    });
  };
  try {
    // Of the two the crew ends first only where a send fails.
    const { result, seconds, doubts } = await Promise.race([measure(), all.then(() => Promise.reject(new Error('The crew stopped.')))]);
    going = false;
    await all;
    return { value: result / seconds, doubts };
  } finally {
    going = false;
    for (const sender of crew) sender[Symbol.dispose]();
  }
}
