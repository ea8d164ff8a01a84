// Sends, edits and deletions: attempts until the outcome is known, and the record of every attempt. A message keeps its key
// across attempts.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Line } from '../history.ts';
import { now } from '../journal.ts';
import { type Account, type Answer, codeOf, isPassing, request, retryAfterMsOf, Unanswered } from './api.ts';

/** Sends an operation to a node, over HTTP or a WebSocket. Rejects with Unanswered. */
export type SendRequest = (node: number, query: string, variables: Record<string, unknown>) => Promise<Answer>;

export interface OutgoingMessage {
  readonly key: string;
  readonly room: string;
  /** Begins with the key. */
  readonly body: string;
  readonly writer: Account;
  readonly request: SendRequest;
}

export interface Sent {
  readonly id: string;
  readonly number: number;
  readonly cursor: string;
  readonly deduplicated: boolean;
}

/** An attempt that took longer than the server promises, although its node answered a probe. */
export interface SlowAttempt {
  readonly at: number;
  readonly node: number;
  readonly room: string;
}

/** The server promises 5 s. The rest is for the network and a busy machine. */
const slowMs = 5500;
/** Timeout of the probe that shows that a node can be reached. */
const probeMs = 1000;
const firstBackoffMs = 100;
const maxBackoffMs = 2000;

export class Outbox {
  readonly urls: readonly string[];
  /** Number of answers with an error, by code. */
  readonly refusals = new Map<string, number>();
  readonly slowAttempts: SlowAttempt[] = [];
  /** The longest time of an answer of any kind. */
  worstAnswerMs = 0;
  readonly #record: (line: Line) => void;
  readonly #keys = new Set<string>();
  readonly #acknowledged = new Map<string, number>();
  #attempts = 0;
  #turn = 0;
  #closed = false;

  constructor(urls: readonly string[], record: (line: Line) => void) {
    this.urls = urls;
    this.#record = record;
  }

  /** Messages that were acknowledged. */
  get sent(): number {
    return this.#keys.size;
  }

  /** Number of answers with an error. */
  get refused(): number {
    return this.refusals.values().reduce((sum, count) => sum + count, 0);
  }

  /** The highest number that was acknowledged in a room. */
  acknowledged(room: string): number {
    return this.#acknowledged.get(room) ?? 0;
  }

  /** The nodes in turn. */
  nextNode(): number {
    this.#turn += 1;
    return this.#turn % this.urls.length;
  }

  /** Sends a message, first through `node`, until it is acknowledged or refused finally. Undefined if refused. */
  async send(outgoing: OutgoingMessage, node = this.nextNode()): Promise<Sent | undefined> {
    const { key, room, body, writer, request } = outgoing;
    const input = { roomId: room, body, clientMessageId: key };
    const data = await this.#settle(node, async (at) => {
      this.#attempts += 1;
      const attempt = this.#attempts;
      this.#record({ type: 'invoke', at: now(), attempt, key, writer: writer.userId, room, node: at });
      const outcome = await this.#attempt(at, room, () => request(at, sendMutation, { input }));
      if ('unknown' in outcome) this.#record({ type: 'unknown', at: now(), attempt, key, why: outcome.unknown });
      else if ('fail' in outcome) this.#record({ type: 'fail', at: now(), attempt, key, code: outcome.fail });
      else {
        const { message, deduplicated } = outcome.data.sendMessage;
        const { id, number, cursor } = message;
        this.#record({ type: 'ok', at: now(), attempt, key, id, number, cursor, deduplicated });
        this.#keys.add(key);
        this.#acknowledged.set(room, Math.max(this.acknowledged(room), number));
      }
      return outcome;
    });
    return data && { ...data.sendMessage.message, deduplicated: data.sendMessage.deduplicated };
  }

  /** Edits one's own message, or deletes it if no body is given, until the outcome is known. */
  async change({ room, request }: OutgoingMessage, id: string, body: string | undefined): Promise<void> {
    const [how, query, input] =
      body === undefined
        ? (['delete', deleteMutation, { messageId: id }] as const)
        : (['edit', editMutation, { messageId: id, body }] as const);
    await this.#settle(this.nextNode(), async (node) => {
      const outcome = await this.#attempt(node, room, () => request(node, query, { input }));
      const line = { type: 'change', at: now(), how, id, room, node } as const;
      if ('unknown' in outcome) this.#record({ ...line, outcome: 'unknown', why: outcome.unknown });
      else if ('fail' in outcome) this.#record({ ...line, outcome: 'fail', why: outcome.fail });
      else this.#record({ ...line, outcome: 'ok' });
      return outcome;
    });
  }

  /** Ends all retries. What is unknown then remains unknown. */
  close(): void {
    this.#closed = true;
  }

  /** Retries through the next node, with full jitter, while the outcome is unknown. */
  // biome-ignore lint/suspicious/noExplicitAny: by the operation
  async #settle(first: number, attempt: (node: number) => Promise<Outcome>): Promise<any> {
    for (let tried = 0, node = first; ; tried += 1, node = (node + 1) % this.urls.length) {
      const outcome = await attempt(node);
      if ('data' in outcome) return outcome.data;
      if ('fail' in outcome || this.#closed) return undefined;
      await sleep(outcome.retryAfterMs + Math.random() * Math.min(firstBackoffMs * 2 ** tried, maxBackoffMs));
    }
  }

  async #attempt(node: number, room: string, work: () => Promise<Answer>): Promise<Outcome> {
    const at = now();
    const late = setTimeout(() => void this.#noteSlow({ at, node, room }), slowMs);
    try {
      const { data, errors } = await work();
      this.worstAnswerMs = Math.max(this.worstAnswerMs, now() - at);
      if (!errors) return { data };
      const code = codeOf(errors);
      this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
      return isPassing(code) ? { unknown: code, retryAfterMs: retryAfterMsOf(errors) } : { fail: code };
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      return { unknown: error.message, retryAfterMs: 0 };
    } finally {
      clearTimeout(late);
    }
  }

  async #noteSlow(attempt: SlowAttempt): Promise<void> {
    const probing = request(this.urls[attempt.node] as string, undefined, '{ __typename }', {}, probeMs);
    const reachable = await probing.then(
      () => true,
      () => false,
    );
    if (reachable) this.slowAttempts.push(attempt);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: by the operation
type Outcome = { data: any } | { fail: string } | { unknown: string; retryAfterMs: number };

const sendMutation = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id number cursor } deduplicated } }';
const editMutation = 'mutation ($input: EditMessageInput!) { editMessage(input: $input) { message { id } } }';
const deleteMutation = 'mutation ($input: DeleteMessageInput!) { deleteMessage(input: $input) { message { id } } }';
