// Socket.IO with its Redis adapter, as documented in https://socket.io/docs/v4/redis-adapter/. The adapter sends a
// message to the sockets of its own node directly, and to other nodes through Redis.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { addMessage, type Message, type SendMessage } from './messages.ts';

interface ClientToServerEvents {
  join(roomId: string, joined: () => void): void;
  send(message: SendMessage, sent: (message: Message) => void): void;
}

interface ServerToClientEvents {
  message(message: Message): void;
}

const { PORT, REDIS_URL } = process.env as { PORT: string; REDIS_URL: string };

const pubClient = new Redis(REDIS_URL);
const subClient = pubClient.duplicate();
await Promise.all([once(pubClient, 'ready'), once(subClient, 'ready')]);

const httpServer = createServer();
const io = new Server<ClientToServerEvents, ServerToClientEvents>(httpServer, { adapter: createAdapter(pubClient, subClient) });

io.on('connection', (socket) => {
  socket.on('join', async (roomId, joined) => {
    await socket.join(roomId);
    joined();
  });

  socket.on('send', async ({ roomId, body }, sent) => {
    const message = await addMessage(roomId, body);
    io.to(roomId).emit('message', message);
    sent(message);
  });
});

httpServer.listen(Number(PORT), '127.0.0.1', () => console.log('ready'));

process.once('SIGTERM', () => process.exit(0));
