// Documents that ask for more than they seem to: introspection, aliases, and searches.

import { getIntrospectionQuery } from 'graphql';
import type { Attack, Outcome } from '../attack.ts';
import { AttackSocket, inLoops, post } from '../client.ts';

const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const aliases = (count: number, selection: string) =>
  range(count)
    .map((index) => `a${index}:${selection}`)
    .join(' ');

const nestedIntrospection = `{__schema{types{...A}}} fragment A on __Type{${aliases(60, 'fields{type{...B}}')}} fragment B on __Type{${aliases(60, 'fields{...C}')}} fragment C on __Field{${aliases(60, 'name')}}`;
const aliasedBodies = (bodies: number) => `query($id:ID!){room(id:$id){messages(first:100){nodes{${aliases(bodies, 'body')}}}}}`;
/** Within the limits of aliases and cost: 15 pages of 100 bodies, which is 24 MB. */
const aliasedPages = `query($id:ID!){room(id:$id){${aliases(15, 'messages(first:100){nodes{body}}')}}}`;
/** One page of 100 bodies under 5 names: just below 8 MiB. */
const largest = aliasedBodies(5);
const searches = (count: number) => `{${aliases(count, 'rooms(first:100,filter:{nameContains:"oo"}){nodes{name}}')}}`;

const nothingOf = (outcome: Outcome, what: string) => (outcome[what] ? `${what} ${outcome[what]} times` : undefined);
const atMost8MiB = (outcome: Outcome) =>
  (outcome['answer bytes'] ?? 0) > 8 * 1024 * 1024 + 1000 ? `an answer of ${outcome['answer bytes']} bytes` : undefined;

export const documentAttacks: readonly Attack[] = [
  {
    name: 'introspection',
    does: 'anonymous introspection that expands to millions of fields, 8 at once',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      begun();
      await inLoops(8, signal, () => post(target, tally, undefined, nestedIntrospection));
    },
    check: (outcome) => nothingOf(outcome, 'answered'),
  },
  {
    name: 'introspection allowed',
    does: 'the standard introspection, anonymous, never the same text, 4 at once',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      begun();
      const query = getIntrospectionQuery();
      await inLoops(4, signal, (loop, round) => post(target, tally, undefined, `${query} # ${loop} ${round} ${performance.now()}`));
    },
  },
  {
    name: 'bodies under 480 names',
    does: '100 messages of 16 KB, each body 480 times, over HTTP and as a subscription',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      const [user] = target.users;
      const socket = await AttackSocket.open(target, tally, user?.token);
      begun();
      const events = `subscription($id:ID!){roomEvents(roomId:$id){...on MessageAdded{message{${aliases(480, 'body')}}}}}`;
      await inLoops(4, signal, async (loop, round) => {
        await post(target, tally, user?.token, aliasedBodies(480), { id: target.longRoomId });
        await socket?.ask(`${loop}-${round}`, events, { id: target.longRoomId });
      });
    },
    check: (outcome) => nothingOf(outcome, 'answered'),
  },
  {
    name: 'large answers',
    does: 'answers of 8 MiB and of 24 MB, within the limits of cost, 20 at once by 4 users',
    modes: ['unlimited'],
    users: 4,
    async run(target, tally, signal, begun) {
      begun();
      await inLoops(20, signal, (loop, round) => {
        const query = round % 2 === 0 ? largest : aliasedPages;
        return post(target, tally, target.users[loop % target.users.length]?.token, query, { id: target.longRoomId });
      });
    },
    check: atMost8MiB,
  },
  {
    name: 'large answers, many operations',
    does: '3 users with 5 sockets each begin 100 operations of 15 pages of long messages on each socket',
    users: 3,
    async run(target, tally, signal, begun) {
      const sockets = await AttackSocket.openMany(target, tally, 15, (index) => target.users[index % 3]?.token);
      begun();
      await inLoops(15 * 100, signal, async (loop, round) => {
        await sockets[loop % sockets.length]?.ask(`${loop}-${round}`, aliasedPages, { id: target.longRoomId });
        await new Promise((resolve) => setTimeout(resolve, 200));
      });
      for (const socket of sockets) socket.terminate();
    },
    check: atMost8MiB,
  },
  {
    name: 'large answers, not read',
    does: '200 idle sockets of 10 users each ask for 8 MiB and read nothing',
    modes: ['unlimited'],
    users: 10,
    async run(target, tally, signal, begun) {
      const sockets = await AttackSocket.openMany(target, tally, 200, (index) => target.users[index % 10]?.token);
      for (const socket of sockets) socket.pause();
      begun();
      for (const socket of sockets) socket.subscribe('1', largest, { id: target.longRoomId });
      await inLoops(1, signal, () => new Promise((resolve) => setTimeout(resolve, 100)));
      for (const socket of sockets) socket.terminate();
    },
  },
  {
    name: 'name searches',
    does: '15 searches for two letters in 200,000 names, in each of 12 requests at once of one user',
    modes: ['unlimited'],
    async run(target, tally, signal, begun) {
      begun();
      await inLoops(12, signal, (loop) => post(target, tally, target.users[0]?.token, searches(loop % 2 === 0 ? 15 : 90)));
    },
  },
];
