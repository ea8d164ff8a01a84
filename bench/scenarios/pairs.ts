// Many rooms with two subscribers each.

import { setTimeout as sleep } from 'node:timers/promises';
import { Crowd } from '../load/crowd.ts';
import { everyone, type Scenario, samplesOf } from './scenario.ts';

const pairsOf = { rooms: 1000, watchersPerRoom: 2, viewers: 100, senders: 32 };
/** Messages sent and not yet received by both. */
const underWay = 64;

export const pairs: Scenario = {
  number: 3,
  title: '1,000 rooms of 2',
  text: `${underWay} messages are always under way, in all rooms in turn. 2,000 connections watch one room each, and 32 others send.`,
  maxRounds: 2,
  connections: 2032,
  figures: [
    { id: 'pairs.sends', title: 'sends a second', unit: '/s' },
    { id: 'pairs.deliveries', title: 'deliveries a second', unit: '/s', chart: 'more is better' },
    { id: 'pairs.cpu', title: 'CPU per send', unit: 'µs' },
  ],
  contenders: everyone,
  run: (rig, contender, pace) =>
    rig.with(contender, async (server) => {
      using crowd = await Crowd.open(contender, pairsOf, server.port);
      return await crowd.saturate(underWay, async () => {
        await sleep(pace.warmUpMs);
        const measured = await rig.measure([server], async () => {
          const [sent, received] = [crowd.acknowledged, crowd.audience.received];
          await sleep(pace.windowMs);
          return { sends: crowd.acknowledged - sent, deliveries: crowd.audience.received - received };
        });
        const { result, seconds, serverUs, doubts } = measured;
        const values = {
          'pairs.sends': result.sends / seconds,
          'pairs.deliveries': result.deliveries / seconds,
          'pairs.cpu': serverUs / result.sends,
        };
        return samplesOf(contender.name, values, doubts);
      });
    }),
};
