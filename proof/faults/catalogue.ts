// Every kind of fault, in a long form for the full proof and in a short one that still has an effect.

import { manyReturn, memberRemoved, oneKeyAtOnce, readersStop } from './clients.ts';
import { descriptorsUsedUp } from './descriptors.ts';
import { dataDiskFull, walDiskFull } from './disk.ts';
import type { Fault } from './fault.ts';
import { redisGarbage } from './garbage.ts';
import { clientsByteByByte, clientsCut, clientsDelayed, clientsHalfOpen, clientsReset, clientsSlow } from './links.ts';
import { nodeKilled, nodePaused, rollingRestart } from './nodes.ts';
import {
  commitAnswersLost,
  nodeCutOffFromPostgres,
  postgresBackendsTerminated,
  postgresConnectionsExhausted,
  postgresKilled,
  postgresSilent,
  postgresStopped,
  roomLocked,
} from './postgres.ts';
import {
  nodeCutOffFromRedis,
  redisAbsent,
  redisBuffersTiny,
  redisFlushed,
  redisKilled,
  redisRefusing,
  redisSilent,
  redisSubscribersCut,
} from './redis.ts';
import { postgresRefusing } from './refusals.ts';
import { subscriptionIdReused } from './reused-id.ts';
import { guestsSignOut } from './sessions.ts';
import { columnsAdded, entryOfNewerVersion, rollingUpgrade } from './upgrade.ts';

export const everyFault = (): Fault[] => [
  redisKilled({ lastsMs: 15_000 }),
  redisAbsent(),
  redisSilent(),
  redisFlushed(),
  redisSubscribersCut({ lastsMs: 10_000 }),
  nodeCutOffFromRedis({ lastsMs: 10_000 }),
  redisBuffersTiny({ lastsMs: 10_000 }),
  redisRefusing({ lastsMs: 10_000 }),
  redisGarbage({ lastsMs: 10_000 }),
  nodeKilled(),
  rollingRestart(),
  nodePaused(),
  descriptorsUsedUp(),
  postgresBackendsTerminated({ lastsMs: 10_000 }),
  postgresKilled(),
  postgresSilent(),
  postgresStopped(),
  postgresRefusing(),
  nodeCutOffFromPostgres(),
  postgresConnectionsExhausted(),
  roomLocked(),
  commitAnswersLost(),
  ...onSmallDisks(dataDiskFull(), walDiskFull()),
  clientsReset({ lastsMs: 6000 }),
  clientsHalfOpen({ lastsMs: 6000 }),
  clientsSlow({ lastsMs: 6000 }),
  clientsByteByByte({ lastsMs: 6000 }),
  clientsDelayed({ lastsMs: 6000 }),
  clientsCut({ lastsMs: 6000 }),
  readersStop(),
  manyReturn(),
  oneKeyAtOnce(),
  memberRemoved(),
  guestsSignOut('there'),
  guestsSignOut('killed'),
  guestsSignOut('silent'),
  subscriptionIdReused({ lastsMs: 16_000 }),
  rollingUpgrade(),
  columnsAdded(),
  entryOfNewerVersion(),
];

/** Short faults that every quick proof has. */
export const requiredFaults = (): Fault[] => [
  postgresStopped(),
  postgresRefusing(),
  descriptorsUsedUp(),
  subscriptionIdReused(),
  guestsSignOut('there'),
  rollingUpgrade({ back: 1 }),
  columnsAdded({ lastsMs: 2000 }),
  entryOfNewerVersion(),
];

/** Short faults of which a quick proof chooses some. */
export const optionalFaults = (): Fault[] => [
  redisKilled({ lastsMs: 8000 }),
  redisAbsent({ lastsMs: 10_000 }),
  redisSilent({ lastsMs: 10_000 }),
  redisFlushed({ times: 3, keys: 20_000 }),
  redisSubscribersCut({ lastsMs: 8000 }),
  nodeCutOffFromRedis({ lastsMs: 8000 }),
  redisBuffersTiny({ lastsMs: 8000 }),
  redisRefusing({ lastsMs: 8000 }),
  redisGarbage({ lastsMs: 8000 }),
  nodeKilled({ downMs: 2000 }),
  rollingRestart(),
  nodePaused({ lastsMs: 8000 }),
  postgresBackendsTerminated({ lastsMs: 8000 }),
  postgresKilled({ downMs: 2000 }),
  postgresSilent(),
  nodeCutOffFromPostgres({ lastsMs: 8000 }),
  postgresConnectionsExhausted({ lastsMs: 8000 }),
  roomLocked(),
  commitAnswersLost({ lastsMs: 8000 }),
  ...onSmallDisks(dataDiskFull({ lastsMs: 5000 })),
  clientsReset({ lastsMs: 8000 }),
  clientsHalfOpen({ lastsMs: 8000 }),
  clientsSlow({ lastsMs: 8000 }),
  clientsByteByByte({ lastsMs: 5000 }),
  clientsDelayed({ lastsMs: 8000 }),
  clientsCut({ lastsMs: 8000 }),
  manyReturn({ clients: 300, missed: 200 }),
  oneKeyAtOnce(),
  memberRemoved(),
  guestsSignOut('killed'),
  guestsSignOut('silent'),
];

export const shortFaults = (): Fault[] => [...requiredFaults(), ...optionalFaults()];

/** Only root may mount the small disks that these faults fill. */
function onSmallDisks(...faults: Fault[]): Fault[] {
  if (process.getuid?.() === 0) return faults;
  console.log(`Left out, because they need root: ${faults.map(({ name }) => name).join(', ')}.`);
  return [];
}
