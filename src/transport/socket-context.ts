// The context of one operation of a WebSocket. A class and not an object of functions, because each subscription keeps its
// context, and a node may have a hundred thousand.

import type { Chat } from '../chat/chat.ts';
import type { Identity, Viewer } from '../chat/identity.ts';
import { forbidden } from '../errors.ts';
import type { Accounts } from '../feed/accounts.ts';
import type { LiveRooms } from '../feed/live-rooms.ts';
import type { Limits } from '../limits/limits.ts';
import type { Log } from '../log.ts';
import type { Context, Services, Share } from '../schema/context.ts';
import type { Storage } from '../storage/database.ts';
import type { Operation } from './operation.ts';
import type { Shares } from './shares.ts';
import type { ClientSocket } from './socket.ts';

export class SocketContext implements Context {
  readonly storage: Storage;
  readonly chat: Chat;
  readonly liveRooms: LiveRooms;
  readonly accounts: Accounts;
  readonly identity: Identity;
  readonly limits: Limits;
  readonly log: Log;
  readonly #shares: Shares;
  readonly socket: ClientSocket;
  readonly operation: Operation;
  /** The viewer when the operation began. */
  readonly viewer: Viewer | undefined;

  constructor(services: Services, shares: Shares, socket: ClientSocket, operation: Operation) {
    this.storage = services.storage;
    this.chat = services.chat;
    this.liveRooms = services.liveRooms;
    this.accounts = services.accounts;
    this.identity = services.identity;
    this.limits = services.limits;
    this.log = services.log;
    this.#shares = shares;
    this.socket = socket;
    this.operation = operation;
    this.viewer = socket.viewer;
  }

  get address(): string | undefined {
    return this.socket.openSocket.address;
  }

  get share(): Share {
    return this.#shares.of(this.viewer, this.address, this.socket.connection);
  }

  wanted(): boolean {
    return this.operation.wanted;
  }

  ended(): AbortSignal {
    return this.operation.lifetime.signal;
  }

  /** A WebSocket cannot set a cookie. */
  setCookie(): void {}

  async renewToken(token: string): Promise<Viewer> {
    const { identity, socket } = this;
    const viewer = await identity.verify(token);
    if (viewer.userId !== socket.viewer?.userId) throw forbidden('The new token is of another user than this connection: open a new one.');
    socket.viewer = viewer;
    return viewer;
  }
}
