// One room with 1,000 subscribers and a moderate rate of messages.

import { setTimeout as sleep } from 'node:timers/promises';
import { Crowd } from '../load/crowd.ts';
import { everyone, type Scenario, samplesOf } from './scenario.ts';

export const largeRoom = { rooms: 1, watchersPerRoom: 1000, viewers: 100, senders: 32 };
/** Messages under way during the warm-up, which runs at full speed. */
const warmUpUnderWay = 8;
const messagesPerSecond = 20;

export const paced: Scenario = {
  number: 1,
  title: 'One room, 1,000 subscribers, 20 messages a second',
  text: `Each subscriber has its own connection. The subscribers are 100 users. CPU time is that of the server process. The delay is measured from just before a message is sent to its receipt, over all deliveries.`,
  connections: 1032,
  figures: [
    { id: 'paced.cpu', title: 'CPU per delivery', unit: 'µs', chart: 'less is better' },
    { id: 'paced.p50', title: 'p50', unit: 'ms' },
    { id: 'paced.p99', title: 'p99', unit: 'ms', chart: 'less is better' },
  ],
  contenders: everyone,
  run: (rig, contender, pace) =>
    rig.with(contender, async (server) => {
      using crowd = await Crowd.open(contender, largeRoom, server.port);
      await crowd.saturate(warmUpUnderWay, () => sleep(pace.warmUpMs));
      await crowd.settle();
      const { result, serverUs, doubts } = await rig.measure([server], async () => {
        const delays = await crowd.sendAtRate(messagesPerSecond, pace.pacedMs);
        return { delays, deliveries: crowd.audience.received };
      });
      await crowd.settle();
      const { delays, deliveries } = result;
      const values = {
        'paced.cpu': serverUs / deliveries,
        'paced.p50': delays.percentile(0.5),
        'paced.p99': delays.percentile(0.99),
      };
      return samplesOf(contender.name, values, doubts);
    }),
};
