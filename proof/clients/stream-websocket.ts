// A watcher on a bare WebSocket, speaking graphql-transport-ws by hand: the cheapest, and with no library's retries.

import { WebSocket } from 'ws';
import { BoundedSocket, pingMs, silenceMs } from './bounded-socket.ts';
import { retryMs, type Stream } from './stream.ts';
import { Watchdog } from './watchdog.ts';
import type { Verdict, Watcher } from './watcher.ts';

export function openBareSocket(watcher: Watcher): Stream {
  let socket: WebSocket;
  let watchdog: Watchdog;
  let closed = false;
  const connect = () => {
    if (closed) return;
    const mine = new BoundedSocket(watcher.nextUrl(), 'graphql-transport-ws');
    socket = mine;
    const alive = new Watchdog(silenceMs, () => mine.terminate());
    watchdog = alive;
    const pinging = setInterval(() => mine.readyState === WebSocket.OPEN && send(mine, { type: 'ping' }), pingMs);
    const obey = (verdict: Verdict) => verdict === 'go on' || mine.close(1000);
    mine.on('open', () => send(mine, { type: 'connection_init', payload: { authorization: `Bearer ${watcher.watch.token}` } }));
    mine.on('message', (data) => {
      alive.heard();
      // One that was closed may still have something to hand over.
      if (closed || mine.readyState !== WebSocket.OPEN) return;
      const frame = JSON.parse(String(data)) as { type: string; payload?: never };
      if (frame.type === 'next') obey(watcher.take(frame.payload as never));
      else if (frame.type === 'error') obey(watcher.refused(frame.payload as never));
      else if (frame.type === 'complete') obey(watcher.completed());
      else if (frame.type === 'ping') send(mine, { type: 'pong' });
      else if (frame.type === 'connection_ack') {
        watcher.opened();
        send(mine, { id: '1', type: 'subscribe', payload: watcher.request });
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

const send = (socket: WebSocket, message: object) => socket.send(JSON.stringify(message), () => {});
