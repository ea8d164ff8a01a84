// Reads the settings, opens the server, and closes it on SIGTERM or SIGINT.

import { resolve } from 'node:path';
import { openApp } from './app.ts';
import { type Config, ConfigError, findMisspelledSettings, readConfig } from './config.ts';
import { createLog } from './log.ts';
import { LogOutput } from './log-output.ts';

try {
  const config = readConfig(process.env);
  const output = new LogOutput();
  const log = createLog(config.logLevel, output);
  // A bug. Logged instead of ending the process, so that the streams of other clients continue.
  process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled promise rejection'));
  for (const { name, setting } of findMisspelledSettings(process.env)) log.warn(`${name} is not a setting: is ${setting} meant?`);
  const app = await openApp(config, log);
  const stop = async (signal: NodeJS.Signals) => {
    log.info(`${signal}: closing`);
    let exitCode = 0;
    try {
      await app.close({ now: signal === 'SIGINT' });
      log.info('closed');
    } catch (error) {
      exitCode = 1;
      log.error({ error }, 'the server failed to shut down cleanly');
    }
    await output.flush();
    process.exit(exitCode);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
  log.info(
    { storage: describe(config), identity: config.identity.mode },
    `Gapless is listening: the chat is at ${app.url}, GraphQL at ${app.url}/graphql`,
  );
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exit(1);
}

function describe({ storage, redisUrl }: Config): string {
  if ('dataDir' in storage) return `embedded, in ${resolve(storage.dataDir)}`;
  return redisUrl === undefined ? 'PostgreSQL, without Redis' : 'PostgreSQL and Redis';
}
