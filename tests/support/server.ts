// A server inside the test process, opened by the same function as in `npm start`, and a client for its API.

import { rmSync } from 'node:fs';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { type GraphQLFormattedError, print } from 'graphql';
import { type Client, createClient } from 'graphql-ws';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import { type App, type AppOptions, openApp } from '../../src/app.ts';
import { type Config, readConfig } from '../../src/config.ts';
import type { Log } from '../../src/log.ts';
import * as gql from '../gql/graphql.ts';
import { createDataFolder } from './data-template.ts';
import { createDatabase } from './postgres.ts';

export const silentLog = pino({ level: 'silent' });

export interface Server extends AsyncDisposable {
  readonly app: App;
  /** The GraphQL endpoint. */
  readonly url: string;
  /** Closes the server and opens it again with the same data and port. */
  restart(): Promise<void>;
}

/** The storage of a test: PGlite in a temporary folder, or a PostgreSQL database. */
export const storages = ['PGlite', 'PostgreSQL'] as const;
export type StorageName = (typeof storages)[number];

/** Creates storage for a test, and returns the settings that select it. Disposing removes it. */
export async function createPlace(storage: StorageName): Promise<{ env: Record<string, string> } & AsyncDisposable> {
  if (storage === 'PGlite') {
    const folder = createDataFolder();
    return { env: { DATA_DIR: folder }, [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }) };
  }
  const database = await createDatabase();
  return { env: { DATABASE_URL: database.url, IDENTITY: 'guest' }, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}

/** Opens a server with storage of its own, unless `env` selects one. Default: PostgreSQL, which a test opens ten times as fast. */
export async function startServer(
  options: { storage?: StorageName; env?: Record<string, string>; log?: Log } & AppOptions = {},
): Promise<Server> {
  const cleanup = new AsyncDisposableStack();
  const place =
    options.env?.['DATABASE_URL'] || options.env?.['DATA_DIR']
      ? undefined
      : cleanup.use(await createPlace(options.storage ?? 'PostgreSQL'));
  const identity = options.env?.['JWT_SECRET'] || options.env?.['JWT_JWKS_URL'] ? 'jwt' : 'guest';
  const env = { PORT: '0', DRAIN_DELAY_MS: '0', RATE_LIMITS: 'off', ...place?.env, IDENTITY: identity, ...options.env };
  let config: Config = readConfig(env);
  const log = options.log ?? silentLog;
  let app = await openApp(config, log, options);
  config = { ...config, port: Number(new URL(app.url).port) };
  return {
    get app() {
      return app;
    },
    url: `${app.url}/graphql`,
    async restart() {
      await app.close({ now: true });
      app = await openApp(config, log, options);
    },
    async [Symbol.asyncDispose]() {
      await app.close({ now: true });
      await cleanup.disposeAsync();
    },
  };
}

export interface Answer<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly (GraphQLFormattedError & { extensions: { code: string; field?: string; errorId?: string } })[];
}

/** A signed-in guest. Methods throw if the server answers with an error, except for `ask`. */
export class Guest {
  readonly url: string;
  readonly token: string;
  readonly userId: string;
  /** The id of `viewer`, which is not that of the user. */
  readonly viewerId: string;

  constructor(url: string, token: string, userId: string) {
    this.url = url;
    this.token = token;
    this.userId = userId;
    this.viewerId = userId.replace('user_', 'viewer_');
  }

  static async signIn(url: string, name = 'Ada'): Promise<Guest> {
    const { signIn } = await must(ask(url, undefined, gql.SignInDocument, { name }));
    return new Guest(url, signIn?.token as string, signIn?.viewer.user.id as string);
  }

  /** The same guest, on another node. */
  at(url: string): Guest {
    return new Guest(url, this.token, this.userId);
  }

  ask<Data, Variables>(document: TypedDocumentNode<Data, Variables> | string, variables?: Variables): Promise<Answer<Data>> {
    return ask(this.url, this.token, document, variables);
  }

  async must<Data, Variables>(document: TypedDocumentNode<Data, Variables> | string, variables?: Variables): Promise<Data> {
    return must(this.ask(document, variables));
  }

  /** The code of the first error. Undefined if there is none. */
  async refusal(document: string, variables?: Record<string, unknown>): Promise<string | undefined> {
    // biome-ignore lint/suspicious/noExplicitAny: the document is a plain string
    return (await this.ask<any, any>(document, variables)).errors?.[0]?.extensions.code;
  }

  /** A page of rooms. */
  async rooms(variables: gql.RoomsQueryVariables = {}): Promise<NonNullable<gql.RoomsQuery['rooms']>> {
    return (await this.must(gql.RoomsDocument, variables)).rooms as NonNullable<gql.RoomsQuery['rooms']>;
  }

  async createRoom(input: Partial<gql.CreateRoomInput> = {}): Promise<string> {
    const { createRoom } = await this.must(gql.CreateRoomDocument, { input: { name: 'Room', ...input } });
    return createRoom?.room.id as string;
  }

  async send(roomId: string, body: string, clientMessageId?: string) {
    const input = { roomId, body, ...(clientMessageId === undefined ? {} : { clientMessageId }) };
    return (await this.must(gql.SendMessageDocument, { input })).sendMessage as NonNullable<gql.SendMessageMutation['sendMessage']>;
  }

  /** A graphql-ws client of the guest. It does not retry unless `options` say so. */
  connect(options: Partial<Parameters<typeof createClient>[0]> = {}): Client {
    return createClient({
      url: this.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${this.token}` },
      retryAttempts: 0,
      ...options,
    });
  }
}

/** Sends one operation over HTTP. */
export async function ask<Data, Variables>(
  url: string,
  token: string | undefined,
  document: TypedDocumentNode<Data, Variables> | string,
  variables?: Variables,
): Promise<Answer<Data>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query: typeof document === 'string' ? document : print(document), variables }),
  });
  return (await response.json()) as Answer<Data>;
}

async function must<Data>(answering: Promise<Answer<Data>>): Promise<Data> {
  const { data, errors } = await answering;
  if (errors || data == null) throw new Error(`The server answered ${JSON.stringify(errors)}.`);
  return data;
}

/** Opens a server with a guest, Ada, and a room of hers. */
export async function startRoom(): Promise<{ server: Server; ada: Guest; roomId: string }> {
  const server = await startServer();
  const ada = await Guest.signIn(server.url);
  return { server, ada, roomId: await ada.createRoom() };
}
