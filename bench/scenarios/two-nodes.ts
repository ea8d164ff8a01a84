// The delay from a send on one node to the receipt on another.

import { setTimeout as sleep } from 'node:timers/promises';
import { Crowd } from '../load/crowd.ts';
import { everyone, type Scenario, samplesOf } from './scenario.ts';

const smallRoom = { rooms: 1, watchersPerRoom: 10, viewers: 10, senders: 2 };
const warmUpUnderWay = 8;
const messagesPerSecond = 50;

export const twoNodes: Scenario = {
  number: 8,
  title: 'Two nodes',
  text: `Both nodes share one core. ${smallRoom.watchersPerRoom} subscribers watch a room on one node, and ${messagesPerSecond} messages a second are sent on the other. The delay is measured from just before a message is sent to its receipt.`,
  maxRounds: 2,
  connections: smallRoom.watchersPerRoom + smallRoom.senders,
  figures: [
    { id: 'twoNodes.p50', title: 'p50', unit: 'ms', chart: 'less is better' },
    { id: 'twoNodes.p99', title: 'p99', unit: 'ms' },
  ],
  contenders: everyone,
  run: (rig, contender, pace) =>
    rig.with(
      contender,
      async (sending, watched) => {
        using crowd = await Crowd.open(contender, smallRoom, watched.port, sending.port);
        await crowd.saturate(warmUpUnderWay, () => sleep(pace.warmUpMs));
        await crowd.settle();
        const work = () => crowd.sendAtRate(messagesPerSecond, pace.pacedMs / 2);
        const { result: delays, doubts } = await rig.measure([sending, watched], work);
        await crowd.settle();
        const values = { 'twoNodes.p50': delays.percentile(0.5), 'twoNodes.p99': delays.percentile(0.99) };
        return samplesOf(contender.name, values, doubts);
      },
      2,
    ),
};
