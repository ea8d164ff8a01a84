// Ordinary users: each has a WebSocket with a subscription to one room, sends a few messages a second, and asks small queries.
// The time of everything that they do is measured.

import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { Histogram } from '../bench/load/histogram.ts';
import { type Account, codeOf, must, request, signIn } from '../proof/clients/api.ts';
import { until } from '../tests/support/process.ts';

/** 2.5 messages a second are within the default limits, which are 30 in 10 seconds. */
const sendEveryMs = 400;
const askEveryMs = 500;
const users = 4;
/** After this, an operation counts as failed. */
const timeoutMs = 10_000;

const subscription =
  'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename ... on MessageAdded { message { clientMessageId } } } }';
const sendMutation = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }';
const smallQuery = 'query ($id: ID!) { viewer { user { name } } room(id: $id) { name messages(last: 5) { nodes { number body } } } }';

export type Kind = 'send' | 'delivery' | 'query' | 'health';

/** What was measured in one window of time. */
export interface Figures {
  readonly all: Histogram;
  readonly byKind: Readonly<Record<Kind, Histogram>>;
  readonly failures: readonly string[];
}

export class OrdinaryUsers implements Disposable {
  readonly roomId: string;
  readonly #users: readonly OrdinaryUser[];

  private constructor(roomId: string, members: readonly OrdinaryUser[]) {
    this.roomId = roomId;
    this.#users = members;
  }

  /** Signs in, creates a room unless there is one, and subscribes. */
  static async open(url: string, accounts: readonly Account[], roomId: string): Promise<OrdinaryUsers> {
    const members = accounts.map((account) => new OrdinaryUser(url, account, roomId));
    await until('the ordinary users have subscribed', () => members.every(({ subscribed }) => subscribed));
    return new OrdinaryUsers(roomId, members);
  }

  static async createAccounts(url: string): Promise<{ accounts: Account[]; roomId: string }> {
    const accounts = await Promise.all(Array.from({ length: users }, (_, index) => signIn([url], `Ordinary ${index}`)));
    const { createRoom } = await must(
      [url],
      accounts[0]?.token,
      'mutation { createRoom(input: { name: "Ordinary", kind: OPEN }) { room { id } } }',
    );
    const roomId = createRoom.room.id as string;
    const join = 'mutation ($roomId: ID!) { joinRoom(input: { roomId: $roomId }) { membership { id } } }';
    for (const { token } of accounts.slice(1)) await must([url], token, join, { roomId });
    return { accounts, roomId };
  }

  /** Measures until the promise resolves. Resolves when everything that began has ended. */
  async measure(done: Promise<unknown>): Promise<Figures> {
    const window = new Window();
    let over = false;
    void done.finally(() => (over = true)).catch(() => {});
    await Promise.all(this.#users.map((user) => user.live(window, () => over)));
    return window;
  }

  [Symbol.dispose](): void {
    for (const user of this.#users) user[Symbol.dispose]();
  }
}

class Window implements Figures {
  readonly all = new Histogram();
  readonly byKind = { send: new Histogram(), delivery: new Histogram(), query: new Histogram(), health: new Histogram() };
  readonly failures: string[] = [];

  add(kind: Kind, ms: number): void {
    this.all.add(ms);
    this.byKind[kind].add(ms);
  }

  /** Measures `work`, which returns a sentence if it failed. */
  async time(kind: Kind, work: Promise<string | undefined>): Promise<void> {
    const startMs = performance.now();
    const failure = await work.catch((error: unknown) => (error as Error).message);
    this.add(kind, performance.now() - startMs);
    if (failure !== undefined) this.failures.push(`${kind}: ${failure}`);
  }
}

class OrdinaryUser implements Disposable {
  readonly #url: string;
  readonly #account: Account;
  readonly #roomId: string;
  readonly #socket: WebSocket;
  /** By id of the operation or the message. */
  readonly #waiting = new Map<string, (failure?: string) => void>();
  #nextId = 0;
  subscribed = false;

  constructor(url: string, account: Account, roomId: string) {
    this.#url = url;
    this.#account = account;
    this.#roomId = roomId;
    this.#socket = new WebSocket(url.replace('http', 'ws'), ['graphql-transport-ws']);
    this.#socket.on('open', () => this.#write({ type: 'connection_init', payload: { authorization: `Bearer ${account.token}` } }));
    this.#socket.on('message', (data) => this.#receive(JSON.parse(String(data))));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      for (const settle of this.#waiting.values()) settle('the socket was closed');
    });
  }

  async live(window: Window, over: () => boolean): Promise<void> {
    const pending: Promise<void>[] = [];
    const loop = async (everyMs: number, work: (round: number) => Promise<void>) => {
      await sleep(Math.random() * everyMs);
      for (let round = 0; !over(); round += 1) {
        pending.push(work(round));
        await sleep(everyMs);
      }
    };
    await Promise.all([
      loop(sendEveryMs, (round) => this.#send(window, round % 2 === 0)),
      loop(askEveryMs, () => window.time('query', this.#post(smallQuery, { id: this.#roomId }))),
      loop(askEveryMs, () => window.time('health', this.#health())),
    ]);
    await Promise.all(pending);
  }

  async #send(window: Window, overSocket: boolean): Promise<void> {
    const clientMessageId = crypto.randomUUID();
    const input = { roomId: this.#roomId, body: 'A message of an ordinary user.', clientMessageId };
    const delivered = this.#wait(clientMessageId);
    const answered = overSocket ? this.#ask(sendMutation, { input }) : this.#post(sendMutation, { input });
    await Promise.all([window.time('delivery', delivered), window.time('send', answered)]);
  }

  async #health(): Promise<string | undefined> {
    const { ok, status } = await fetch(new URL('/health', this.#url), { signal: AbortSignal.timeout(timeoutMs) });
    return ok ? undefined : `HTTP ${status}`;
  }

  async #post(query: string, variables: Record<string, unknown>): Promise<string | undefined> {
    const { errors } = await request(this.#url, this.#account.token, query, variables, timeoutMs);
    return errors && codeOf(errors);
  }

  #ask(query: string, variables: Record<string, unknown>): Promise<string | undefined> {
    this.#nextId += 1;
    const id = String(this.#nextId);
    this.#write({ id, type: 'subscribe', payload: { query, variables } });
    return this.#wait(id);
  }

  /** What the operation or message failed with. Undefined if it was answered or delivered. */
  async #wait(id: string): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#waiting.set(id, resolve);
    const timer = setTimeout(() => resolve('no answer in time'), timeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: a message of the protocol
  #receive({ type, id, payload }: any): void {
    if (type === 'connection_ack') {
      this.#write({ id: 'events', type: 'subscribe', payload: { query: subscription, variables: { roomId: this.#roomId } } });
    } else if (type === 'next' && id === 'events') {
      const { __typename, message } = payload.data.roomEvents;
      if (__typename === 'CaughtUp') this.subscribed = true;
      if (message) this.#waiting.get(message.clientMessageId)?.();
    } else if (type === 'next') this.#waiting.get(id)?.(payload.errors && codeOf(payload.errors));
    else if (type === 'error') this.#waiting.get(id)?.(codeOf(payload));
  }

  #write(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}
