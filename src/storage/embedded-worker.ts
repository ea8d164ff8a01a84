// The thread that runs PGlite, which blocks its thread while it works. It runs one statement after the other, in the order
// in which they arrive.

import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import type { Reply, Request } from './embedded-thread.ts';

const database = await PGlite.create((workerData as { readonly folder: string }).folder);

async function answer({ id, text, parameters }: Extract<Request, { readonly type: 'query' }>): Promise<Reply> {
  try {
    const { rows, affectedRows } = await database.query(text, parameters);
    return { id, result: { rows, affectedRows } };
  } catch (error) {
    if (hasEndedPostgres(error)) setImmediate(() => process.exit(1));
    else if (!isFromPostgres(error)) await requireAnswering();
    const { message, code, constraint } = error as Error & { readonly code?: string; readonly constraint?: string };
    return { id, error: { message, code, constraint } };
  }
}

/** Whether PostgreSQL itself reported the error: it has an SQLSTATE. */
const isFromPostgres = (error: unknown) => error instanceof Error && 'code' in error && /^[0-9A-Z]{5}$/.test(String(error.code));

/** PostgreSQL ends its process with such an error, after a full disk for example. PGlite stays, and never answers again. */
const hasEndedPostgres = (error: unknown) =>
  error instanceof Error && 'severity' in error && (error.severity === 'PANIC' || error.severity === 'FATAL');

/** Any other error may mean that PGlite has crashed. Throws if so, which ends the thread. */
async function requireAnswering(): Promise<void> {
  await database.query('select 1').catch((error: unknown) => {
    // In a transaction that has failed, PostgreSQL refuses the statement; but it answers.
    if (!isFromPostgres(error)) throw error;
  });
}

let last: Promise<unknown> = Promise.resolve();
parentPort?.on('message', (request: Request) => {
  switch (request.type) {
    case 'ping':
      parentPort?.postMessage({ id: request.id } satisfies Reply);
      break;
    case 'query':
      last = last.then(async () => parentPort?.postMessage(await answer(request)));
      break;
    case 'close':
      last = last.then(() => database.close()).then(() => parentPort?.close());
      break;
  }
});
