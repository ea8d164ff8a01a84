// Changes by one user: sends, leaves, joins, rooms, invitations and sign-ins, as many as possible at once.

import { randomUUID } from 'node:crypto';
import type { Attack, Tally, Target } from '../attack.ts';
import { AttackSocket, inLoops, post } from '../client.ts';

const send = 'mutation($r:ID!,$b:String!){sendMessage(input:{roomId:$r,body:$b}){message{id}}}';
const leave = 'mutation($r:ID!){leaveRoom(input:{roomId:$r}){roomId}}';
const join = 'mutation($r:ID!){joinRoom(input:{roomId:$r}){membership{id}}}';
const createRoom = 'mutation($n:String!){createRoom(input:{name:$n,kind:OPEN}){room{id}}}';
const openDirect = 'mutation($u:ID!,$s:String){openDirectRoom(input:{userId:$u,subject:$s}){room{id}}}';
const many = (count: number, selection: (index: number) => string) =>
  `mutation{${Array.from({ length: count }, (_, index) => `a${index}:${selection(index)}`).join(' ')}}`;

/** Opens sockets of the first user. */
const openSockets = (target: Target, tally: Tally, count: number) =>
  AttackSocket.openMany(target, tally, count, () => target.users[0]?.token);

/** Sends over the sockets of one user and over HTTP, as many at once as the server lets it. */
async function flood(
  target: Target,
  tally: Tally,
  signal: AbortSignal,
  begun: () => void,
  query: string,
  variables: object,
): Promise<void> {
  const sockets = await openSockets(target, tally, 20);
  begun();
  const overSockets = inLoops(sockets.length * 100, signal, async (loop, round) => {
    await sockets[loop % sockets.length]?.ask(`${loop}-${round}`, query, { ...variables });
    await new Promise((resolve) => setTimeout(resolve, 50));
  });
  const overHttp = inLoops(300, signal, () => post(target, tally, target.users[0]?.token, query, { ...variables }));
  await Promise.all([overSockets, overHttp]);
  for (const socket of sockets) socket.terminate();
}

export const changeAttacks: readonly Attack[] = [
  {
    name: 'leaveRoom of a stranger',
    does: '1,500 leaveRoom at once by a user who is not in the room',
    async run(target, tally, signal, begun) {
      begun();
      await inLoops(1500, signal, () => post(target, tally, target.users[0]?.token, leave, { r: target.roomId }));
    },
  },
  {
    name: 'leaveRoom over sockets',
    does: 'the same over 20 sockets with 100 under way each, and 300 over HTTP',
    run: (target, tally, signal, begun) => flood(target, tally, signal, begun, leave, { r: target.roomId }),
  },
  {
    name: 'joins and leaves',
    does: '200 joins and leaves at once of the ordinary users’ room by 4 users',
    users: 4,
    async run(target, tally, signal, begun) {
      begun();
      await inLoops(200, signal, (loop, round) =>
        post(target, tally, target.users[loop % 4]?.token, round % 2 === 0 ? join : leave, { r: target.roomId }),
      );
    },
  },
  {
    name: 'sends',
    does: 'sends by one user to their own room, 2,000 under way over 20 sockets and 300 over HTTP',
    async run(target, tally, signal, begun) {
      const answer = await post(target, tally, target.users[0]?.token, createRoom, { n: 'Mine' });
      const roomId = JSON.parse(answer).data.createRoom.room.id as string;
      await flood(target, tally, signal, begun, send, { r: roomId, b: 'x' });
    },
  },
  {
    name: 'long sends',
    does: 'the same, each of 4,000 four-byte characters',
    async run(target, tally, signal, begun) {
      const answer = await post(target, tally, target.users[0]?.token, createRoom, { n: 'Mine' });
      const roomId = JSON.parse(answer).data.createRoom.room.id as string;
      await flood(target, tally, signal, begun, send, { r: roomId, b: '😀'.repeat(4000) });
    },
  },
  {
    name: 'many changes in one request',
    does: '120 signIn, 100 createRoom, 180 joins and leaves, and 120 direct rooms, in few requests',
    async run(target, tally, signal, begun) {
      begun();
      const { token } = target.users[0] as Target['users'][number];
      await inLoops(4, signal, async () => {
        await post(
          target,
          tally,
          undefined,
          many(120, (index) => `signIn(input:{name:"Guest ${index}"}){token}`),
        );
        await post(
          target,
          tally,
          undefined,
          many(15, (index) => `signIn(input:{name:"Guest ${index}"}){token}`),
        );
        await post(
          target,
          tally,
          token,
          many(100, (index) => `createRoom(input:{name:"Room ${index}",kind:OPEN}){room{id}}`),
        );
        await post(
          target,
          tally,
          token,
          many(15, (index) => `createRoom(input:{name:"Room ${index}",kind:OPEN}){room{id}}`),
        );
        await post(
          target,
          tally,
          token,
          many(180, (index) => `${index % 2 ? 'leave' : 'join'}Room(input:{roomId:"${target.roomId}"}){__typename}`),
        );
        await post(target, tally, token, openDirect, { u: target.victimId, s: randomUUID() });
      });
    },
  },
];
