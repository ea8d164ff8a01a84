// A pool of connections to PostgreSQL that reports which connections could not be opened.

import pg from 'pg';
import { ServerClient, type ServerClientConfig } from './server-client.ts';

/** What pg-pool throws if no connection became free in time. */
const poolIsBusy = 'timeout exceeded when trying to connect';

export class ServerPool extends pg.Pool {
  readonly #state: ServerClientConfig['state'];

  constructor(config: pg.PoolConfig & ServerClientConfig) {
    super({
      ...config,
      Client: ServerClient,
      onConnect: (client) => (client as ServerClient).prepare(),
    });
    this.#state = config.state;
    this.on('connect', () => this.#state?.connected());
  }

  // biome-ignore lint/suspicious/noExplicitAny: pg has a form with a callback, which nobody uses here
  override async connect(): Promise<any> {
    try {
      return await super.connect();
    } catch (error) {
      if (!this.ending && !(error instanceof Error && error.message === poolIsBusy)) this.#state?.refused(error);
      throw error;
    }
  }
}
