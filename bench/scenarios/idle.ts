// Many who watch rooms in which nobody says anything.

import { Audience, type Seat } from '../load/audience.ts';
import { range } from '../load/parallel.ts';
import { openSocketSender } from '../load/senders.ts';
import type { Stage } from '../load/stage.ts';
import { everyone, type Scenario, samplesOf } from './scenario.ts';

const subscribers = 10_000;
const rooms = 100;
const viewers = 100;
/** These connect and leave again before anything is measured: what a server compiles and grows once is no subscriber's. */
const forerunners = 500;
/** By then everyone has heard a message in every room. */
const patienceMs = 60_000;

export const idle: Scenario = {
  number: 5,
  title: '10,000 idle subscribers over 100 rooms',
  text: `Memory is what the process holds in addition once all have subscribed, after a garbage collection before and after. CPU time is that of the server for one connection: its handshake, and its subscription. Afterwards one message is sent in every room, which all receive: the subscriptions are there.`,
  maxRounds: 2,
  connections: subscribers + forerunners,
  figures: [
    { id: 'idle.memory', title: 'memory per subscriber', unit: 'KB', chart: 'less is better' },
    { id: 'idle.cpu', title: 'CPU per connection', unit: 'µs', chart: 'less is better' },
  ],
  contenders: everyone,
  run: (rig, contender) =>
    rig.with(contender, async (server) => {
      const stage = await contender.prepare(server.port, { rooms, viewers, senders: 1 });
      const open = (count: number) => Audience.open(server.port, contender.webSocket, seatsOf(stage, count));
      (await open(forerunners))[Symbol.dispose]();
      await server.untilIdle();

      const before = await server.memoryBytes();
      const { result, serverUs, doubts } = await rig.measure([server], async () => {
        const opened = await open(subscribers);
        await server.untilIdle();
        return opened;
      });
      using audience = result;
      const after = await server.memoryBytes();

      using sender = await openSocketSender(server.port, contender.webSocket, stage.senders[0]);
      await Promise.all(stage.rooms.map((room) => sender.send(room)));
      await audience.untilReceived(subscribers, patienceMs);
      const values = { 'idle.memory': (after - before) / 1000 / subscribers, 'idle.cpu': serverUs / subscribers };
      return samplesOf(contender.name, values, doubts);
    }),
};

const seatsOf = ({ rooms: named, viewers: tickets }: Stage, count: number): Seat[] =>
  range(count).map((index) => ({ room: named[index % rooms] as string, ticket: tickets[index % viewers] }));
