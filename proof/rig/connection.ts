// One connection through a link: a client and a server. Carries the bytes between them, with the impairments of the link.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Link, Target } from './link.ts';

/** Interval between the pieces of a slow link. */
const slowPieceMs = 50;

export class Connection {
  /** Bytes were lost on it, so nothing that follows may arrive. */
  damaged = false;
  /** Since the link was last impaired, in both directions. */
  bytesCarried = 0;
  readonly #link: Link;
  readonly #client: Socket;
  /** Undefined if the link dropped everything from the start: it has not connected to the server. */
  readonly #server: Socket | undefined;
  #dropsNextAnswer = false;

  constructor(link: Link, client: Socket, to: Target) {
    this.#link = link;
    this.#client = client;
    this.damaged = link.impairment.droppingAll === true;
    this.#server = this.damaged ? undefined : connect({ host: '127.0.0.1', ...to, allowHalfOpen: true, noDelay: true });
    // Errors are handled where the socket is read. Without a listener they would end the process.
    for (const socket of [client, this.#server]) socket?.on('error', () => {});
  }

  /** Carries bytes in both directions. Resolves when both sides are closed. */
  async carry(): Promise<void> {
    const closed = [this.#client, ...(this.#server ? [this.#server] : [])].map((socket) => once(socket, 'close').catch(() => {}));
    void this.#carry(this.#client, this.#server);
    if (this.#server) void this.#carry(this.#server, this.#client);
    await Promise.all(closed);
  }

  reset(): void {
    this.#link.counts.resets += 1;
    this.#resetSockets();
  }

  destroy(): void {
    this.#client.destroy();
    this.#server?.destroy();
  }

  async #carry(from: Socket, into: Socket | undefined): Promise<void> {
    let broken = false;
    try {
      for await (const bytes of from.iterator({ destroyOnReturn: false })) await this.#pass(bytes, into);
      await this.#untilMoving();
    } catch (error) {
      broken = true;
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') this.#link.counts.targetRefused += 1;
    }
    if (this.#vanishes()) this.damaged = true;
    else if (broken) this.#resetSockets();
    else into?.end();
  }

  async #pass(bytes: Buffer, into: Socket | undefined): Promise<void> {
    const { counts, impairment, random } = this.#link;
    if (impairment.paused) {
      counts.impairedBytes += bytes.length;
      await this.#untilMoving();
    }
    const { delayMs = 0, jitterMs = 0 } = impairment;
    if (delayMs + jitterMs > 0) {
      counts.impairedBytes += bytes.length;
      await sleep(delayMs + random() * jitterMs);
    }
    if (into === undefined || this.#vanishes()) {
      this.damaged = true;
      counts.droppedBytes += bytes.length;
    } else if (this.#dropsNextAnswer && into === this.#client) {
      counts.answersLost += 1;
      this.reset();
    } else await this.#deliver(bytes, into);
  }

  async #deliver(bytes: Buffer, into: Socket): Promise<void> {
    const { cutAfterBytes = Infinity, dropsAnswerTo } = this.#link.impairment;
    if (into === this.#server && dropsAnswerTo?.(bytes)) this.#dropsNextAnswer = true;
    const left = cutAfterBytes - this.bytesCarried;
    this.bytesCarried += bytes.length;
    await this.#write(bytes.subarray(0, Math.max(0, left)), into);
    if (left <= bytes.length) this.reset();
  }

  /** Resolves when the bytes have been written, at the rate of the link. The sender waits for that. */
  async #write(bytes: Buffer, into: Socket): Promise<void> {
    for (let at = 0; at < bytes.length && !into.destroyed; ) {
      const { bytesPerSecond = Infinity, bytesPerPiece = Infinity } = this.#link.impairment;
      const length = Math.ceil(Math.min(bytes.length - at, bytesPerPiece, (bytesPerSecond * slowPieceMs) / 1000));
      await new Promise((resolve) => into.write(bytes.subarray(at, at + length), resolve));
      at += length;
      if (Math.min(bytesPerSecond, bytesPerPiece) < Infinity) this.#link.counts.impairedBytes += length;
      if (bytesPerSecond < Infinity) await sleep(slowPieceMs);
      else if (bytesPerPiece < Infinity) await nextTurn();
    }
  }

  async #untilMoving(): Promise<void> {
    while (this.#link.impairment.paused && !this.#client.destroyed) await this.#link.changed;
  }

  #vanishes(): boolean {
    return this.damaged || this.#link.impairment.droppingAll === true;
  }

  #resetSockets(): void {
    for (const socket of [this.#client, this.#server]) if (!socket?.destroyed) socket?.resetAndDestroy();
  }
}
