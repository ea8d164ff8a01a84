// Settings, the server, and then a signal to stop it.

import { openApp } from './app.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { createLog, type Log } from './log.ts';

// Nothing is meant to come here: what does is a bug, and no reason to end everyone's streams.
const reportRejections = (log: Log) =>
  process.on('unhandledRejection', (error) => log.error({ error }, 'a promise was rejected that nobody waits for'));

try {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  reportRejections(log);
  const app = await openApp(config, log);
  log.info(
    { storage: describe(config), identity: config.identity.mode },
    `Gapless listens: the chat is at ${app.url}, GraphQL at ${app.url}/graphql`,
  );

  const stop = async (signal: NodeJS.Signals) => {
    log.info(`${signal}: closing`);
    await app.close({ now: signal === 'SIGINT' });
    log.info('closed');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exit(1);
}

function describe({ storage, redisUrl }: Config): string {
  if ('dataDir' in storage) return `embedded, in ${storage.dataDir}`;
  return redisUrl === undefined ? 'PostgreSQL, without Redis' : 'PostgreSQL and Redis';
}
