// The same room with as many messages as the server can deliver.

import { setTimeout as sleep } from 'node:timers/promises';
import { Crowd } from '../load/crowd.ts';
import { largeRoom } from './paced.ts';
import { everyone, type Scenario, samplesOf } from './scenario.ts';

/** Messages sent and not yet received by all. Yoga ends when about 1,500 wait for one subscriber. */
const underWay = 64;

export const saturated: Scenario = {
  number: 2,
  title: 'One room, 1,000 subscribers, saturated',
  text: `${underWay} messages are always under way: sent, and not yet received by all 1,000. 32 connections send them.`,
  connections: 1032,
  figures: [
    { id: 'saturated.rate', title: 'deliveries a second', unit: '/s', chart: 'more is better' },
    { id: 'saturated.cpu', title: 'CPU per delivery', unit: 'µs' },
  ],
  contenders: everyone,
  run: (rig, contender, pace) =>
    rig.with(contender, async (server) => {
      using crowd = await Crowd.open(contender, largeRoom, server.port);
      return await crowd.saturate(underWay, async () => {
        await sleep(pace.warmUpMs);
        const measured = await rig.measure([server], async () => {
          const before = crowd.audience.received;
          await sleep(pace.windowMs);
          return crowd.audience.received - before;
        });
        const { result: deliveries, seconds, serverUs, doubts } = measured;
        return samplesOf(contender.name, { 'saturated.rate': deliveries / seconds, 'saturated.cpu': serverUs / deliveries }, doubts);
      });
    }),
};
