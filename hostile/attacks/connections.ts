// TCP connections and HTTP requests: what is sent slowly, pipelined, never ended or never read.

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack, Tally, Target } from '../attack.ts';
import { attackerHeaders, bearer, ended, inLoops, nameOf, openTcp, openTcps, postText } from '../client.ts';

const events = 'subscription($id:ID!){roomEvents(roomId:$id){cursor}}';
const eventText = (target: Target, index: number, filling = '') => {
  const { token } = target.users[index % target.users.length] as Target['users'][number];
  const body = JSON.stringify({ query: events, variables: { id: target.roomId }, extensions: { filling } });
  return postText(token, body, { accept: 'text/event-stream' });
};

/** Counts the first answer of a connection. */
function countAnswer(socket: Socket, tally: Tally): void {
  socket.once('data', (chunk: Buffer) => {
    const text = chunk.toString('latin1');
    tally.count(nameOf(text, Number(text.split(' ', 2)[1])));
  });
}

const destroyAll = (sockets: readonly Socket[]) => {
  for (const socket of sockets) socket.destroy();
};

/** How long headers and a body may take, with some time to notice. */
const headersMs = 12_000;

export const connectionAttacks: readonly Attack[] = [
  {
    name: 'static files, hang up',
    does: 'a file requested 20 times in one packet, then the connection is dropped, 50 at once',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      begun();
      const text = `GET ${target.assetPath} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept-encoding: identity\r\n\r\n`.repeat(20);
      await inLoops(50, signal, async () => {
        const socket = await openTcp(target);
        if (!socket) return tally.count('refused');
        socket.write(text);
        await sleep(10);
        socket.destroy();
        return tally.count('dropped');
      });
    },
  },
  {
    name: 'slow headers',
    does: '500 connections send a header a byte at a time and never end it',
    modes: ['unlimited'],
    besideMs: headersMs,
    async run(target, tally, signal, begun) {
      const sockets = await openTcps(target, 500);
      const startMs = performance.now();
      for (const socket of sockets) {
        socket.write('POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ');
        socket.resume().once('close', () => tally.atLeast('longest ms', Math.round(performance.now() - startMs)));
      }
      begun();
      await inLoops(1, signal, async () => {
        for (const socket of sockets) if (socket.writable) socket.write('x');
        await sleep(500);
      });
      tally.count('still open', sockets.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded).length);
      destroyAll(sockets);
    },
    check: (outcome) => (outcome['still open'] ? `${outcome['still open']} connections are open after ${headersMs} ms` : undefined),
  },
  {
    name: 'bodies of single bytes',
    does: '300 requests whose bodies of 128 KiB come in chunks of one byte and do not end',
    modes: ['unlimited'],
    besideMs: 6000,
    async run(target, tally, signal, begun) {
      const sockets = await openTcps(target, 300);
      const head = `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`;
      for (const socket of sockets) {
        countAnswer(socket, tally);
        socket.write(head);
      }
      begun();
      const chunks = '1\r\nx\r\n'.repeat(4000);
      await inLoops(sockets.length, signal, async (loop, round) => {
        const socket = sockets[loop] as Socket;
        if (round >= 32 || !socket.writable) return ended(signal);
        if (socket.write(chunks)) await sleep(10);
        else await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), ended(signal)]);
      });
      destroyAll(sockets);
    },
  },
  {
    name: 'bodies that do not end',
    does: '3,000 requests with 127 KB of a body of 128 KB each',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      const sockets = await openTcps(target, 3000);
      const text = postText(undefined, 'x'.repeat(131_000)).slice(0, -1000);
      begun();
      for (const socket of sockets) {
        countAnswer(socket, tally);
        socket.write(text);
        if (signal.aborted) break;
        await sleep(0);
      }
      await ended(signal);
      destroyAll(sockets);
    },
  },
  {
    name: 'large headers',
    does: 'headers of 15 KB and of 60 KB, 50 at once',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      begun();
      await inLoops(50, signal, async (_loop, round) => {
        const socket = await openTcp(target);
        if (!socket) return;
        countAnswer(socket, tally);
        const size = round % 2 === 0 ? 15_000 : 60_000;
        socket.write(`GET /graphql?query={__typename} HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ${'x'.repeat(size)}\r\n\r\n`);
        await sleep(20);
        socket.destroy();
      });
    },
  },
  {
    name: 'idle connections',
    does: '5,000 connections that send nothing',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      const sockets = await openTcps(target, 5000);
      tally.count('opened', sockets.length);
      begun();
      await ended(signal);
      destroyAll(sockets);
    },
  },
  {
    name: 'event streams',
    does: '1,000 event streams of one user, each with a body of 120 KB',
    async run(target, tally, signal, begun) {
      const sockets = await openTcps(target, 1000);
      begun();
      const filling = 'x'.repeat(120_000);
      for (const [index, socket] of sockets.entries()) {
        countAnswer(socket, tally);
        socket.write(eventText(target, index, filling));
        if (signal.aborted) break;
        await sleep(0);
      }
      await ended(signal);
      destroyAll(sockets);
    },
  },
  {
    name: 'event streams, not read',
    does: '100 event streams of long messages from the start of a room, which nobody reads',
    modes: ['unlimited'],
    users: 5,
    async run(target, tally, signal, begun) {
      const query = 'subscription($id:ID!,$after:String){messageAdded(roomId:$id,after:$after){a:body b:body c:body body}}';
      const sockets = await openTcps(target, 100);
      begun();
      const { token } = target.users[0] as Target['users'][number];
      const start = await fetch(target.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...bearer(token), ...attackerHeaders },
        body: JSON.stringify({
          query: 'query($id:ID!){room(id:$id){messages(first:1){nodes{cursor}}}}',
          variables: { id: target.longRoomId },
        }),
      });
      const after = ((await start.json()) as { data: { room: { messages: { nodes: [{ cursor: string }] } } } }).data.room.messages.nodes[0]
        .cursor;
      for (const [index, socket] of sockets.entries()) {
        socket.pause();
        const body = JSON.stringify({ query, variables: { id: target.longRoomId, after } });
        socket.write(postText(target.users[index % 5]?.token, body, { accept: 'text/event-stream' }));
      }
      await ended(signal);
      destroyAll(sockets);
      tally.count('opened', sockets.length);
    },
  },
  {
    name: 'pipelined after an event stream',
    does: '50 event streams, each with 500 requests in the packets after it',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      const sockets = await openTcps(target, 50);
      begun();
      const { token } = target.users[0] as Target['users'][number];
      const query = postText(token, JSON.stringify({ query: '{viewer{user{name}}}' }));
      for (const [index, socket] of sockets.entries()) {
        countAnswer(socket, tally);
        socket.once('close', () => tally.count('disconnected'));
        socket.write(eventText(target, index) + query.repeat(500));
      }
      await ended(signal);
      destroyAll(sockets);
    },
  },
  {
    name: 'pipelined large answers, not read',
    does: '200 connections with 30 requests for 8 MiB each, which nobody reads',
    modes: ['unlimited'],
    users: 10,
    async run(target, tally, signal, begun) {
      const names = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}:body`).join(' ');
      const body = JSON.stringify({
        query: `query($id:ID!){room(id:$id){messages(first:100){nodes{${names}}}}}`,
        variables: { id: target.longRoomId },
      });
      const sockets = await openTcps(target, 200);
      begun();
      for (const [index, socket] of sockets.entries()) {
        socket.pause();
        socket.write(postText(target.users[index % 10]?.token, body).repeat(30));
      }
      await ended(signal);
      tally.count('opened', sockets.length);
      destroyAll(sockets);
    },
  },
];
