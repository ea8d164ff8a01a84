// The reads of requests. At most four reads of one viewer run at once, and a request that has ended reads nothing more: its
// waiting reads are not started, and its running ones are cancelled.

import type { DatabaseConnection } from 'kysely';
import pLimit, { type LimitFunction } from 'p-limit';
import { ReportingConnection } from './failure.ts';
import { readOnlyOn } from './kysely.ts';
import type { Db } from './tables.ts';

/** Maximum number of reads of one viewer at once, a part of the connections of the pool. */
const maxReads = 4;

/** The request that reads. */
export interface Reader {
  /** Undefined for a request without a token, which shares its reads with no other request. */
  readonly viewer: { readonly userId: string } | undefined;
  /** Aborted when nobody waits for the result any more. Its reason is the error of the reads. */
  readonly ended: () => AbortSignal;
}

/** Opens the database for the reads of one request. */
export type OpenReads = (reader: Reader) => Db;

interface Share {
  readonly limit: LimitFunction;
  /** Number of reads that wait or run. */
  reads: number;
}

export function openReads(db: Db): OpenReads {
  const shares = new Map<string, Share>();

  async function inShareOf<Result>(viewerId: string, read: () => Promise<Result>): Promise<Result> {
    const share = shares.get(viewerId) ?? { limit: pLimit(maxReads), reads: 0 };
    shares.set(viewerId, share);
    share.reads += 1;
    try {
      return await share.limit(read);
    } finally {
      share.reads -= 1;
      if (share.reads === 0) shares.delete(viewerId);
    }
  }

  return (reader) => {
    const { viewer } = reader;
    const signal = reader.ended();
    const own = pLimit(maxReads);
    return readOnlyOn(db, {
      // A read holds its place for one statement, and waits for nothing else than the database meanwhile.
      provideConnection(use) {
        const read = () => readUntil(signal, db, use);
        return viewer ? inShareOf(viewer.userId, read) : own(read);
      },
    });
  };
}

/** Runs `use` with a connection. Throws the reason of `ended` if that is aborted before or meanwhile. */
async function readUntil<Result>(ended: AbortSignal, db: Db, use: (connection: DatabaseConnection) => Promise<Result>): Promise<Result> {
  ended.throwIfAborted();
  return db.getExecutor().provideConnection(async (connection) => {
    ended.throwIfAborted();
    let cancelling: Promise<void> | undefined;
    const cancel = () => {
      if (connection instanceof ReportingConnection) cancelling = connection.cancel();
    };
    ended.addEventListener('abort', cancel, { once: true });
    try {
      return await use(connection);
    } catch (error) {
      ended.throwIfAborted();
      throw error;
    } finally {
      ended.removeEventListener('abort', cancel);
      // Until then, the cancellation could concern the next statement of the connection.
      await cancelling;
    }
  });
}
