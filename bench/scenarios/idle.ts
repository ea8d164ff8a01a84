// Many subscribers of rooms without messages.

import { Audience, type Seat } from '../load/audience.ts';
import type { Fixture } from '../load/fixture.ts';
import { range } from '../load/parallel.ts';
import { openSocketSender } from '../load/senders.ts';
import { everyone, type Scenario, samplesOf } from './scenario.ts';

const subscribers = 10_000;
const rooms = 100;
const viewers = 100;
/** Clients that connect and leave before the measurement, so that one-time costs of the server are not counted. */
const warmUpClients = 500;
/** Timeout for a message in every room to arrive. */
const arrivalTimeoutMs = 60_000;

export const idle: Scenario = {
  number: 5,
  title: '10,000 idle subscribers over 100 rooms',
  text: `Memory is the growth of the process after all have subscribed, measured after a garbage collection before and after. CPU time is what the server spends on one connection: its handshake and its subscription. Afterwards one message is sent to every room and received by all, which shows that the subscriptions are active.`,
  maxRounds: 2,
  connections: subscribers + warmUpClients,
  figures: [
    { id: 'idle.memory', title: 'memory per subscriber', unit: 'KB', chart: 'less is better' },
    { id: 'idle.cpu', title: 'CPU per connection', unit: 'µs', chart: 'less is better' },
  ],
  contenders: everyone,
  run: (rig, contender) =>
    rig.with(contender, async (server) => {
      const fixture = await contender.prepare(server.port, { rooms, viewers, senders: 1 });
      const open = (count: number) => Audience.open(server.port, contender.webSocket, seatsOf(fixture, count));
      (await open(warmUpClients))[Symbol.dispose]();
      await server.untilIdle();

      const before = await server.memoryBytes();
      const { result, serverUs, doubts } = await rig.measure([server], async () => {
        const opened = await open(subscribers);
        await server.untilIdle();
        return opened;
      });
      using audience = result;
      const after = await server.memoryBytes();

      using sender = await openSocketSender(server.port, contender.webSocket, fixture.senders[0]);
      await Promise.all(fixture.rooms.map((room) => sender.send(room)));
      await audience.untilReceived(subscribers, arrivalTimeoutMs);
      const values = { 'idle.memory': (after - before) / 1000 / subscribers, 'idle.cpu': serverUs / subscribers };
      return samplesOf(contender.name, values, doubts);
    }),
};

const seatsOf = ({ rooms: named, viewers: tokens }: Fixture, count: number): Seat[] =>
  range(count).map((index) => ({ room: named[index % rooms] as string, token: tokens[index % viewers] }));
