// A connection to PostgreSQL. It leads to the primary, and it does not outlive a query without an answer: the next query
// would wait for the same answer.

import { connect } from 'node:net';
import pg from 'pg';

/** SQLSTATE of a server that takes no writes. */
const readOnly = '25006';
/** How long a request to cancel a statement may take. The connection is not used meanwhile. */
const cancelTimeoutMs = 1000;

/** SQLSTATEs of a prepared statement that the backend does not know, or knows already. It has executed nothing. */
const lostStatement = ['26000', '42P05'];

/** Start of a statement that is so frequent that the server keeps its plan, and the name of the plan. */
const preparedName = /^\/\* prepared: (\w+) \*\//;

/** Properties of pg.Client that its types lack. */
interface BackendKey {
  /** Null if a proxy did not send it. */
  readonly processID: number | null;
  readonly secretKey: number;
}

export class ServerClient extends pg.Client {
  #isPooled = true;

  constructor(config?: pg.ClientConfig) {
    super(config);
    // If the connection is lost between two statements of a transaction, the next statement fails with the reason.
    this.on('error', () => {});
  }

  /**
   * Called once, before the connection is used. The connection is dropped if this fails.
   *
   * - A name or proxy that has not followed a failover yet may lead to a standby, which takes no writes and whose log may
   *   end in the past. A primary cannot become a standby without ending its connections.
   * - Behind a pooler the process id that the client was given is not that of the backend. Such a connection prepares no
   *   named statements: the next one may reach a backend that does not know the name.
   */
  async prepare(): Promise<void> {
    const { rows } = await this.query('select pg_is_in_recovery() as standby, pg_backend_pid() as pid');
    const [found] = rows as { standby: boolean; pid: number }[];
    if (found?.standby) throw Object.assign(new Error('the server is a standby, which takes no writes'), { code: readOnly });
    this.#isPooled = found?.pid !== this.#key.processID;
  }

  // biome-ignore lint/suspicious/noExplicitAny: passes on whatever form of query it is given
  override query(...args: any[]): any {
    const [text, values] = args;
    const name = this.#isPooled || typeof text !== 'string' ? undefined : preparedName.exec(text)?.[1];
    if (name === undefined) return this.#ask(args);
    const isOutside = this.getTransactionStatus() === 'I';
    return this.#ask([{ name, text, values }]).catch((error: Error & { readonly code?: string }) => {
      if (!lostStatement.includes(error.code ?? '')) throw error;
      // Either a pooler forwards the process id of the backend, or DEALLOCATE was run.
      this.#isPooled = true;
      // The error has aborted the transaction, so the statement cannot be retried.
      if (!isOutside) throw error;
      return this.#ask(args);
    });
  }

  #ask(args: unknown[]): Promise<unknown> {
    const answer = (super.query as (...query: unknown[]) => Promise<unknown>).apply(this, args);
    // A query object, which pg makes of its own, is returned as it is.
    if (!(answer instanceof Promise)) return answer as Promise<unknown>;
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
