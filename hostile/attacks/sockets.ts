// WebSockets: large operations that are kept, long ids, floods of small messages, and frames that never end.

import { randomBytes } from 'node:crypto';
import type { Attack } from '../attack.ts';
import { AttackSocket, ended, inLoops } from '../client.ts';

const events = 'subscription($id:ID!){roomEvents(roomId:$id){cursor}}';
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A masked frame of a client, its mask zero. */
function frame(opcode: number, fin: boolean, payload: Buffer): Buffer {
  const { length } = payload;
  const head = length < 126 ? Buffer.from([0, 0x80 | length]) : Buffer.from([0, 0x80 | 126, length >> 8, length & 255]);
  head[0] = (fin ? 0x80 : 0) | opcode;
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

export const socketAttacks: readonly Attack[] = [
  {
    name: 'kept operations',
    does: '1,000 subscriptions on each of 20 sockets, with 60 KB of extensions or undeclared variables',
    async run(target, tally, signal, begun) {
      const sockets = await AttackSocket.openMany(target, tally, 20, () => target.users[0]?.token);
      begun();
      const filling = randomBytes(22_000).toString('hex');
      await inLoops(sockets.length, signal, async (loop, round) => {
        for (let i = 0; i < 25; i += 1) {
          const id = `${round}-${i}`;
          const variables = { id: target.roomId, ...(i % 2 === 0 ? { undeclared: filling } : {}) };
          sockets[loop]?.subscribe(id, events, variables, i % 2 === 0 ? {} : { extensions: { filling } });
        }
        await pause(100);
      });
      for (const socket of sockets) socket.terminate();
    },
  },
  {
    name: 'long ids',
    does: 'ids of 60 KB for operations on 20 sockets, which are opened again',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      begun();
      await inLoops(20, signal, async () => {
        const socket = await AttackSocket.open(target, tally, target.users[0]?.token);
        socket?.subscribe('x'.repeat(60_000), events, { id: target.roomId });
        await pause(20);
        socket?.terminate();
      });
    },
    check: (outcome) => (outcome['answered'] ? 'an id of 60 KB was accepted' : undefined),
  },
  {
    name: 'messages of the server',
    does: 'a client sends `next`, pings and completes without end on 20 sockets',
    async run(target, tally, signal, begun) {
      const sockets = await AttackSocket.openMany(target, tally, 20, () => target.users[0]?.token);
      const strange = await AttackSocket.open(target, tally, target.users[0]?.token);
      strange?.send({ id: '1', type: 'next', payload: {} });
      begun();
      await inLoops(20, signal, async (loop, round) => {
        for (let i = 0; i < 200; i += 1) sockets[loop]?.send(i % 2 === 0 ? { type: 'ping' } : { type: 'complete', id: `${round}` });
        await pause(20);
      });
      for (const socket of sockets) socket.terminate();
    },
    check: (outcome) => (outcome['closed 1011'] ? '`next` closes with 1011' : undefined),
  },
  {
    name: 'endless frames',
    does: '100 sockets send a message in 60,000 fragments or chunks of a byte, and do not end it',
    users: 5,
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      const sockets = await AttackSocket.openMany(target, tally, 100, (index) => target.users[index % 5]?.token);
      begun();
      const one = Buffer.from('x');
      const continuations = Buffer.concat(Array.from({ length: 500 }, () => frame(0, false, one)));
      for (const { stream } of sockets) stream?.write(frame(1, false, one));
      const start = frame(1, true, Buffer.alloc(60_000)).subarray(0, 8);
      for (const [index, { stream }] of sockets.entries()) if (index % 2 === 1) stream?.write(start);
      await inLoops(sockets.length, signal, async (loop, round) => {
        const { stream } = sockets[loop] as AttackSocket;
        if (stream?.destroyed !== false || round >= 120) return ended(signal);
        if (loop % 2 === 0) stream.write(continuations);
        else {
          stream.setNoDelay(true);
          for (let i = 0; i < 20; i += 1) stream.write(one);
        }
        await pause(5);
      });
      for (const socket of sockets) socket.terminate();
    },
  },
  {
    name: 'subscriptions opened and closed',
    does: 'subscriptions that are completed at once and opened again, on 20 sockets of one user',
    async run(target, tally, signal, begun) {
      const sockets = await AttackSocket.openMany(target, tally, 20, () => target.users[0]?.token);
      begun();
      await inLoops(sockets.length, signal, async (loop, round) => {
        for (let i = 0; i < 20; i += 1) {
          sockets[loop]?.subscribe(`${round}-${i}`, events, { id: target.longRoomId });
          sockets[loop]?.send({ type: 'complete', id: `${round}-${i}` });
        }
        await pause(50);
      });
      for (const socket of sockets) socket.terminate();
    },
  },
];
