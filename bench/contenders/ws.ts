// A bare loop over the sockets of a room, without GraphQL, a framework or resuming: the cost of the sockets alone.
//
// {"join": roomId} is answered {"joined": roomId}; {"send": {roomId, body}, "id": n} is answered {"sent": n}. Every other
// text frame is a message.

import { once } from 'node:events';
import { Redis } from 'ioredis';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { addMessage, type SendMessage } from './messages.ts';

type Frame = { readonly join: string } | { readonly send: SendMessage; readonly id: number };

interface Room {
  readonly sockets: Set<WebSocket>;
  /** Resolves when Redis has acknowledged the subscription. */
  readonly subscribed: Promise<unknown>;
}

const { PORT, REDIS_URL } = process.env as { PORT: string; REDIS_URL: string };

const publisher = new Redis(REDIS_URL);
const subscriber = new Redis(REDIS_URL);
// A subscription before `ready` may receive nothing.
await Promise.all([once(publisher, 'ready'), once(subscriber, 'ready')]);

const rooms = new Map<string, Room>();

subscriber.on('message', (roomId: string, text: string) => {
  for (const socket of rooms.get(roomId)?.sockets ?? []) if (socket.readyState === WebSocket.OPEN) socket.send(text);
});

async function receive(socket: WebSocket, data: RawData): Promise<void> {
  const frame = JSON.parse(data.toString()) as Frame;
  if ('join' in frame) {
    await join(socket, frame.join);
    socket.send(JSON.stringify({ joined: frame.join }));
  } else {
    const message = await addMessage(frame.send.roomId, frame.send.body);
    void publisher.publish(message.roomId, JSON.stringify(message));
    socket.send(JSON.stringify({ sent: frame.id }));
  }
}

async function join(socket: WebSocket, roomId: string): Promise<void> {
  const room = rooms.get(roomId) ?? { sockets: new Set(), subscribed: subscriber.subscribe(roomId) };
  rooms.set(roomId, room);
  room.sockets.add(socket);
  socket.once('close', () => leave(socket, roomId));
  await room.subscribed;
}

function leave(socket: WebSocket, roomId: string): void {
  const room = rooms.get(roomId);
  if (!room?.sockets.delete(socket) || room.sockets.size > 0) return;
  rooms.delete(roomId);
  void subscriber.unsubscribe(roomId);
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(PORT) }, () => console.log('ready'));

server.on('connection', (socket) => {
  socket.on('error', (error) => console.error(error));
  socket.on('message', (data) => {
    receive(socket, data).catch((error) => {
      console.error(error);
      socket.close(1011);
    });
  });
});

process.once('SIGTERM', () => process.exit(0));
