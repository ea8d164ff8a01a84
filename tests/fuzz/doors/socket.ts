// The WebSocket protocol: operations and random messages follow each other on a socket, which is left in one of several ways.

import { WebSocket } from 'ws';
import { pick } from '../../support/random.ts';
import type { DocumentFuzzer, Operation } from '../documents.ts';
import { type Exchange, giveUpMs, listenMs } from '../exchange.ts';
import type { Scene } from '../scene.ts';

const messages = [
  '{"type":"ping"}',
  '{"type":"pong"}',
  '{"type":"ping","payload":{"x":[[[]]]}}',
  '{"id":"1","type":"complete"}',
  '{"id":"2","type":"complete"}',
  '{"id":"1","type":"complete","x":1}',
  '{"type":"connection_init"}',
  '{"id":"1","type":"next","payload":{}}',
  '{"id":"1","type":"error","payload":[]}',
  '{"type":"connection_ack"}',
  '{"id":"1","type":"subscribe"}',
  '{"id":"","type":"subscribe","payload":{"query":"{ __typename }"}}',
  '{"id":1,"type":"subscribe","payload":{"query":"{"}}',
  '{"id":"1","type":"subscribe","payload":{"query":"{ viewer { id } }","extensions":{"x":1}}}',
  '{"id":"1","type":"subscribe","payload":{"query":"{ viewer { id } }","operationName":1,"variables":[]}}',
  '{"type":"toString"}',
  '{"type":"__proto__"}',
  'x',
  '',
  '[]',
  'null',
  '\ud800',
  `${'['.repeat(5000)}`,
  'x'.repeat(70_000),
];
/** The messages that leave the socket open. */
const harmless = messages.slice(0, 6);
/** A client ends a socket with a close frame, without one, or by a reset. */
const endings = ['close', 'terminate', 'reset', 'odd close'] as const;
/** What the server closes with for a failure of its own. Everything else is what the client did wrong, or how it left. */
const failures = [1011, 1012, 1013];

export function overSocket(scene: Scene, fuzzer: DocumentFuzzer, random: () => number): Exchange {
  const guest = scene.guest();
  const operations: Operation[] = [];
  const sent = Array.from({ length: pick([1, 3, 10, 120], random) }, (): string | Buffer => {
    const chance = random();
    if (chance < 0.02) return Buffer.from([255, 0, Math.floor(random() * 256)]);
    if (chance < 0.2) return pick(random() < 0.8 ? harmless : messages, random);
    const operation = fuzzer.next(random() < 0.3 ? 'subscription' : undefined);
    operations.push(operation);
    const { query, variables } = operation;
    const id = pick(['1', '2', '3', '__proto__', `${random()}`, 'x'.repeat(200)], random);
    return JSON.stringify({
      id,
      type: 'subscribe',
      payload: { query, variables, ...(random() < 0.1 ? { extensions: { x: 'x'.repeat(5000) } } : {}) },
    });
  });
  const payload = pick<unknown>(
    [
      { authorization: `Bearer ${guest.token}` },
      { authorization: `Bearer ${guest.token}` },
      { authorization: 'x' },
      { authorization: 1 },
      { viewerId: 'x' },
      {},
      [],
      1,
      undefined,
    ],
    random,
  );
  const init =
    random() < 0.9
      ? JSON.stringify({ type: 'connection_init', payload: random() < 0.8 ? { authorization: `Bearer ${guest.token}` } : payload })
      : undefined;
  const isAwaited = random() < 0.9;
  const { host, port } = new URL(guest.url);
  const headers =
    random() < 0.7
      ? {}
      : {
          origin: pick([`http://${host}`, 'null', 'http://evil.example'], random),
          cookie: pick([`gapless_token_${port}=${guest.token}`, 'x', ''], random),
        };
  const ending = pick(endings, random);

  return {
    what: `a socket of ${JSON.stringify(headers)}: ${[init ?? 'nothing', ...sent].join('\n')}, then ${ending}`,
    operations,
    async run() {
      const socket = new WebSocket(guest.url.replace('http', 'ws'), 'graphql-transport-ws', { headers }).on('error', () => {});
      let text = '';
      const { promise: answered, resolve: onAnswer } = Promise.withResolvers<void>();
      const opened = new Promise<void>((resolve) => socket.once('open', resolve));
      const closed = new Promise<number>((resolve) => socket.once('close', resolve));
      socket.on('message', (data) => {
        text += `${data}\n`;
        onAnswer();
      });
      const giveUp = setTimeout(() => socket.terminate(), giveUpMs);
      await Promise.race([opened, closed]);
      const send = (message: string | Buffer) => socket.readyState === WebSocket.OPEN && socket.send(message);
      if (init !== undefined) {
        send(init);
        if (isAwaited) await Promise.race([answered, closed]);
      }
      for (const message of sent) send(message);
      const leave = setTimeout(() => end(socket, ending), listenMs);
      // A client need not wait for the close frame of the server.
      const leaveAnyway = setTimeout(() => socket.terminate(), 2 * listenMs);
      const code = await closed;
      for (const timer of [giveUp, leave, leaveAnyway]) clearTimeout(timer);
      if (failures.includes(code)) throw new Error(`The socket was closed with ${code}.`);
      return text;
    },
  };
}

function end(socket: WebSocket, ending: (typeof endings)[number]): void {
  if (socket.readyState !== WebSocket.OPEN || ending === 'terminate') socket.terminate();
  else if (ending === 'close') socket.close();
  else if (ending === 'odd close') socket.close(3000, 'x');
  else (socket as unknown as { _socket: { resetAndDestroy(): void } })._socket.resetAndDestroy();
}
