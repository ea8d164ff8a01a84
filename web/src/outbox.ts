// Unsent messages. Each is stored under its key until the server has acknowledged it, and retried with that key, so that it
// arrives once. The messages of a room are sent in the order in which they were written.

import { errorCode } from 'gapless/client';
import type { Api } from './api.ts';
import { SendMessageDocument } from './gql/graphql.ts';
import { untilAnswered } from './retry.ts';
import { local } from './storage.ts';
import { Store } from './store.ts';
import { uniqueId } from './unique-id.ts';

export interface Unsent {
  readonly clientMessageId: string;
  readonly roomId: string;
  readonly body: string;
  /** When it was written, in milliseconds since 1970. */
  readonly at: number;
  /** The error code, if the server refused it. It is not retried until the viewer decides. */
  readonly refusal?: string;
  /** Whether the server asked to wait before it is sent again. */
  readonly slowed?: boolean;
  /** Its number in the room, once it was acknowledged. Shown until the room's view has reached this number. */
  readonly number?: number;
}

const prefixOf = (viewerId: string) => `gapless.unsent.${viewerId}.`;

export class Outbox {
  /** In the order in which they were written. */
  readonly unsent = new Store<readonly Unsent[]>([]);
  readonly #api: Api;
  readonly #prefix: string;
  readonly #stop = new AbortController();
  /** Rooms whose messages are being sent. */
  readonly #sending = new Set<string>();

  constructor(api: Api, viewerId: string) {
    this.#api = api;
    this.#prefix = prefixOf(viewerId);
    window.addEventListener('storage', () => this.#read(), { signal: this.#stop.signal });
    this.#read();
    for (const roomId of new Set(this.unsent.value.map((unsent) => unsent.roomId))) this.#start(roomId);
  }

  /** Moves the unsent messages of a former guest to the current one. They are not sent by themselves: they may have arrived already. */
  static inherit(fromViewerId: string, toViewerId: string): void {
    for (const key of local.keys(prefixOf(fromViewerId))) {
      const unsent = parse(local.get(key));
      if (unsent) local.set(prefixOf(toViewerId) + unsent.clientMessageId, JSON.stringify({ ...unsent, refusal: 'UNAUTHENTICATED' }));
      local.remove(key);
    }
  }

  /** Number of messages that a viewer has written and that were not acknowledged. */
  static count(viewerId: string): number {
    return local.keys(prefixOf(viewerId)).length;
  }

  add(roomId: string, body: string): void {
    this.#keep({ clientMessageId: uniqueId(), roomId, body, at: Date.now() });
    this.#start(roomId);
  }

  /** Sends a refused message again. */
  retry({ refusal: _, ...unsent }: Unsent): void {
    this.#keep(unsent);
    this.#start(unsent.roomId);
  }

  remove({ clientMessageId }: Unsent): void {
    local.remove(this.#prefix + clientMessageId);
    this.unsent.set(this.unsent.value.filter((unsent) => unsent.clientMessageId !== clientMessageId));
  }

  /** Drops the acknowledged messages up to this number: the view of the room shows them now. */
  settle(roomId: string, throughNumber: number): void {
    const left = this.unsent.value.filter((unsent) => unsent.roomId !== roomId || (unsent.number ?? Infinity) > throughNumber);
    if (left.length < this.unsent.value.length) this.unsent.set(left);
  }

  forget(): void {
    for (const key of local.keys(this.#prefix)) local.remove(key);
  }

  close(): void {
    this.#stop.abort();
  }

  #keep(unsent: Unsent): void {
    local.set(this.#prefix + unsent.clientMessageId, JSON.stringify(unsent));
    this.#read();
  }

  #read(): void {
    const acknowledged = this.unsent.value.filter(({ number }) => number !== undefined);
    const slowed = this.unsent.value.filter((unsent) => unsent.slowed).map(({ clientMessageId }) => clientMessageId);
    const kept = local.keys(this.#prefix).map((key) => {
      const unsent = parse(local.get(key));
      return unsent && slowed.includes(unsent.clientMessageId) ? { ...unsent, slowed: true } : unsent;
    });
    const waiting = kept.filter(
      (unsent) => unsent !== undefined && acknowledged.every(({ clientMessageId }) => clientMessageId !== unsent.clientMessageId),
    );
    this.unsent.set([...acknowledged, ...(waiting as Unsent[])].sort((a, b) => a.at - b.at));
  }

  #start(roomId: string): void {
    if (this.#sending.has(roomId)) return;
    this.#sending.add(roomId);
    this.#sendAll(roomId)
      // The outbox was closed, or the viewer is signed out. The rest is sent when they come back.
      .catch(() => {})
      .finally(() => {
        this.#sending.delete(roomId);
        // A message may have been added after the last read.
        if (!this.#stop.signal.aborted && this.#next(roomId)) this.#start(roomId);
      });
  }

  /** A lock lets one tab send at a time. The next tab finds nothing left. */
  async #sendAll(roomId: string): Promise<void> {
    const { signal } = this.#stop;
    const send = async () => {
      for (;;) {
        this.#read();
        const next = this.#next(roomId);
        if (!next) return;
        await this.#send(next, signal);
      }
    };
    let locked = false;
    const sendLocked = () => {
      locked = true;
      return send();
    };
    try {
      await navigator.locks.request(this.#prefix + roomId, { signal }, sendLocked);
    } catch (error) {
      // A browser without locks, or one that refuses them with its storage. Another tab may send the same message, with the same key.
      if (locked || signal.aborted) throw error;
      await send();
    }
  }

  /** Changes what is shown of a message. It is not stored. */
  #change(clientMessageId: string, changes: Partial<Unsent>): void {
    this.unsent.set(this.unsent.value.map((unsent) => (unsent.clientMessageId === clientMessageId ? { ...unsent, ...changes } : unsent)));
  }

  #next(roomId: string): Unsent | undefined {
    return this.unsent.value.find((unsent) => unsent.roomId === roomId && !unsent.refusal && unsent.number === undefined);
  }

  async #send(unsent: Unsent, signal: AbortSignal): Promise<void> {
    const { clientMessageId, roomId, body } = unsent;
    try {
      const input = { clientMessageId, roomId, body };
      const onFailure = (error: unknown) => this.#change(clientMessageId, { slowed: errorCode(error) === 'RATE_LIMITED' });
      const { sendMessage } = await untilAnswered(() => this.#api.mutateOnce(SendMessageDocument, { input }), { signal, onFailure });
      const number = sendMessage?.message.number ?? 0;
      local.remove(this.#prefix + clientMessageId);
      this.#change(clientMessageId, { number });
    } catch (error) {
      const refusal = errorCode(error);
      if (signal.aborted || refusal === undefined || refusal === 'UNAUTHENTICATED') throw error;
      this.#keep({ ...unsent, refusal });
    }
  }
}

function parse(text: string | undefined): Unsent | undefined {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
