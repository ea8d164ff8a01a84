// A connection to PostgreSQL. It leads to the primary, and it does not outlive a query without an answer: the next query
// would wait for the same answer.

import { connect } from 'node:net';
import pg from 'pg';
import { beginBounded } from './server-dialect.ts';
import { ServerState } from './server-state.ts';
import { differingDefaults, settingsFor } from './session-defaults.ts';

/** SQLSTATE of a server that takes no writes. */
const readOnly = '25006';
/** How long a request to cancel a statement may take. The connection is not used meanwhile. */
const cancelTimeoutMs = 1000;

/** The error of a database that takes no writes by default. */
export const readOnlyError = () =>
  Object.assign(
    new Error(
      'it is read-only, because default_transaction_read_only is on for the server, the database or the role: turn it off where it was set',
    ),
    { code: readOnly },
  );

/** SQLSTATEs of a prepared statement that the backend does not know, or knows already. It has executed nothing. */
const lostStatement = ['26000', '42P05'];

const isLostStatement = (error: unknown) => error instanceof Error && 'code' in error && lostStatement.includes(String(error.code));

/** Start of a statement that is so frequent that the server keeps its plan, and the name of the plan. */
const preparedName = /^\/\* prepared: (\w+) \*\//;

/** Properties of pg.Client that its types lack. */
interface BackendKey {
  /** Null if a proxy did not send it. */
  readonly processID: number | null;
  readonly secretKey: number;
}

export interface ServerClientConfig extends pg.ClientConfig {
  /** What this and other connections find out about the server. */
  readonly state?: ServerState;
}

export class ServerClient extends pg.Client {
  readonly #state: ServerState;
  #isPooled = true;
  /** What each transaction sets first. Undefined if the defaults of the role and the database are those that the server needs. */
  #settings: string | undefined;

  constructor(config: ServerClientConfig = {}) {
    super(config);
    this.#state = config.state ?? new ServerState();
    // If the connection is lost between two statements of a transaction, the next statement fails with the reason.
    this.on('error', () => {});
  }

  /**
   * Called once, before the connection is used. The connection is dropped if this fails.
   *
   * - A name or proxy that has not followed a failover yet may lead to a standby, which takes no writes and whose log may
   *   end in the past. A primary cannot become a standby without ending its connections.
   * - A database that is read-only by default is not overruled: its operator may be moving it, and what is written then would
   *   be lost.
   * - Behind a pooler the process id that the client was given is not that of the backend. Such a connection prepares no
   *   named statements: the next one may reach a backend that does not know the name.
   */
  async prepare(): Promise<void> {
    const { rows } = await this.#ask([
      `select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as locked, pg_backend_pid() as pid,
        ${differingDefaults} as defaults`,
    ]);
    const [found] = rows as [{ standby: boolean; locked: boolean; pid: number; defaults: string }];
    if (found.standby) throw Object.assign(new Error('the server is a standby, which takes no writes'), { code: readOnly });
    if (found.locked) throw readOnlyError();
    this.#isPooled = found.pid !== this.#key.processID;
    this.#settings = found.defaults === '' ? undefined : settingsFor(found.defaults);
    this.#state.foundDefaults(found.defaults);
    const beginEpoch = this.#state.beginEpoch?.(this.#isPooled);
    // With the settings of every statement: at another isolation level, nodes that start together would fail.
    if (beginEpoch !== undefined) await this.query(beginEpoch);
  }

  // biome-ignore lint/suspicious/noExplicitAny: passes on whatever form of query it is given
  override query(...args: any[]): any {
    const [text, values] = args;
    if (this.#settings === undefined || typeof text !== 'string' || this.getTransactionStatus() !== 'I') return this.#run(args);
    return text.startsWith('begin ') ? this.#ask([`${text}${this.#settings}`, values]) : this.#runInTransaction(args);
  }

  /** Runs a statement with settings of its own. */
  async #runInTransaction(args: unknown[], attempt = 1): Promise<unknown> {
    await this.#ask([`${beginBounded}${this.#settings}`]);
    try {
      const result = await this.#run(args);
      await this.#ask(['commit']);
      return result;
    } catch (error) {
      await this.#ask(['rollback']).catch(() => {});
      if (attempt === 1 && isLostStatement(error)) return this.#runInTransaction(args, 2);
      throw error;
    }
  }

  /** Runs a statement, under the name that it has if it is to be prepared. */
  #run(args: unknown[]): Promise<unknown> {
    const [text, values] = args;
    const name = this.#isPooled || !this.#state.mayPrepare || typeof text !== 'string' ? undefined : preparedName.exec(text)?.[1];
    if (name === undefined) return this.#ask(args);
    const isOutside = this.getTransactionStatus() === 'I';
    return this.#ask([{ name, text, values }]).catch((error: unknown) => {
      if (!isLostStatement(error)) throw error;
      this.#state.lostStatement();
      // The error has aborted the transaction, so the statement cannot be retried.
      if (!isOutside) throw error;
      return this.#ask(args);
    });
  }

  #ask(args: unknown[]): Promise<pg.QueryResult> {
    const answer = (super.query as (...query: unknown[]) => Promise<pg.QueryResult>).apply(this, args);
    // A query object, which pg makes of its own, is returned as it is.
    if (!(answer instanceof Promise)) return answer;
    return answer.catch(async (error: Error) => {
      if (error.message === 'Query read timeout') await this.#giveUp(error);
      throw error;
    });
  }

  get #key(): BackendKey {
    return this as unknown as BackendKey;
  }

  /**
   * Cancels the statement and drops the connection. A backend that waits for a lock does not notice that its client is gone:
   * without this, clients that come back would use up the connections of the server. In this order, because PgBouncer
   * forwards a cancellation only while it has the client.
   */
  async #giveUp(reason: Error): Promise<void> {
    if (this.#isPooled) await this.cancelStatement();
    else void this.cancelStatement();
    this.connection.stream.destroy(reason);
  }

  /**
   * Asks the server to cancel the statement that runs (https://www.postgresql.org/docs/current/protocol-flow.html, "Canceling
   * Requests in Progress"). Resolves when the server has been asked. Drops the connection if that fails, because a later
   * cancellation would concern another statement, or if a proxy does not support it.
   */
  async cancelStatement(): Promise<void> {
    const { processID, secretKey } = this.#key;
    const isAsked = processID !== null && (await this.#requestCancellation(processID, secretKey));
    if (!isAsked) this.connection.stream.destroy();
  }

  /** False if the server was not reached in time. The server closes the socket when it has processed the request. */
  #requestCancellation(processID: number, secretKey: number): Promise<boolean> {
    const request = Buffer.alloc(16);
    for (const [index, value] of [16, 80_877_102, processID, secretKey].entries()) request.writeInt32BE(value, index * 4);
    const socket = this.host.startsWith('/') ? connect(`${this.host}/.s.PGSQL.${this.port}`) : connect(this.port, this.host);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    socket.on('error', () => resolve(false)).on('close', () => resolve(true));
    socket.setTimeout(cancelTimeoutMs, () => socket.destroy(new Error('the server did not process the cancellation')));
    // Not `end`: PgBouncer forgets a request whose client has left. The end of the server is noticed only by a reader.
    socket.unref().resume().write(request);
    return promise;
  }
}
