// The order in which `npm test` starts the files: those that take longest first, so that no core is idle while the last one runs.

import { relative } from 'node:path';

/** The files that take more than 15 s, as `npm test` prints them. The others follow. */
const longest = [
  'web/chat',
  'serve',
  'crash',
  'transport/operations',
  'leaks',
  'proof/controls',
  'schema/room',
  'web/identity',
  'web/rooms',
  'restore',
  'sessions',
  'storage/database',
  'web/downtime',
  'schema/sharing',
  'storage/embedded',
  'cluster',
  'web/rate-limits',
  'client/renewal',
  'failures',
  'client/event-streams',
  'transport/slow-reader',
  'packaging',
  'web/examples',
  'rate-limits',
  'storage/reads',
  'clients/graphql-ws',
  'transport/graphql-handler',
  'stalled-readers',
  'feed/feed',
  'feed/log-reader',
  'feed/model',
  'shutdown',
  'storage/schema',
  'outage',
  'client/room-view',
].map((name) => `tests/${name}.test.ts`);

export function longestFirst(files: readonly string[]): string[] {
  const placeOf = (file: string) => {
    const place = longest.indexOf(relative('.', file));
    return place === -1 ? longest.length : place;
  };
  return files.toSorted((a, b) => placeOf(a) - placeOf(b));
}
