// A WebSocket that speaks graphql-transport-ws by hand for one watcher, and connects again when it is lost.

import type { Socket } from 'node:net';
import type { ExecutionResult } from 'graphql';
import { WebSocket } from 'ws';
import { BoundedSocket, pingMs, silenceMs } from './bounded-socket.ts';
import { retryMs, type Stream } from './stream.ts';
import { Watchdog } from './watchdog.ts';
import type { NextStep, Watcher } from './watcher.ts';

/** Sends messages in one write, so that the server reads them together. */
export type Send = (...messages: readonly object[]) => void;

export interface Speaker {
  /** The server has acknowledged the connection. `send` works for as long as the socket is open, and does nothing after. */
  ready(send: Send): void;
  /** The payload of a `next`. */
  next(payload: ExecutionResult<unknown, unknown>): NextStep;
  pong?(payload: unknown): void;
}

export function openBareSocket(watcher: Watcher, speaker: Speaker): Stream {
  let socket: WebSocket;
  let watchdog: Watchdog;
  let closed = false;
  const connect = () => {
    if (closed) return;
    const mine = new BoundedSocket(watcher.nextUrl(), 'graphql-transport-ws');
    socket = mine;
    const send = sender(mine);
    const alive = new Watchdog(silenceMs, () => mine.terminate());
    watchdog = alive;
    const pinging = setInterval(() => send({ type: 'ping' }), pingMs);
    const follow = (step: NextStep) => step === 'continue' || mine.close(1000);
    mine.on('open', () => send({ type: 'connection_init', payload: { authorization: `Bearer ${watcher.watch.token}` } }));
    mine.on('message', (data) => {
      alive.received();
      // A socket that was closed may still deliver what it had received.
      if (closed || mine.readyState !== WebSocket.OPEN) return;
      const frame = JSON.parse(String(data)) as { type: string; payload?: never };
      if (frame.type === 'next') follow(speaker.next(frame.payload as never));
      else if (frame.type === 'error') follow(watcher.refused(frame.payload as never));
      else if (frame.type === 'complete') follow(watcher.completed());
      else if (frame.type === 'ping') send({ type: 'pong' });
      else if (frame.type === 'pong') speaker.pong?.(frame.payload);
      else if (frame.type === 'connection_ack') {
        watcher.opened();
        speaker.ready(send);
      }
    });
    mine.on('error', () => {});
    mine.on('close', (code) => {
      clearInterval(pinging);
      alive[Symbol.dispose]();
      if (closed || watcher.ended) return;
      watcher.lost(`closed with ${code}`);
      setTimeout(connect, retryMs(watcher));
    });
  };
  connect();
  return {
    pause(paused) {
      watchdog.paused = paused;
      if (paused) socket.pause();
      else socket.resume();
    },
    reconnect: () => socket.terminate(),
    close() {
      closed = true;
      socket.terminate();
    },
  };
}

function sender(socket: WebSocket): Send {
  return (...messages) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    // ws does not declare its underlying socket. Without the cork, each message would be a packet of its own.
    const { _socket: stream } = socket as unknown as { _socket: Socket };
    stream.cork();
    for (const message of messages) socket.send(JSON.stringify(message), () => {});
    stream.uncork();
  };
}
