// WebSocket frames byte by byte (https://www.rfc-editor.org/rfc/rfc6455#section-5.2): what breaks the protocol closes its own socket
// with the code that the RFC names, and the node goes on.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { until } from '../support/process.ts';
import { Guest, type Server, startServer } from '../support/server.ts';

const text = 1;
const binary = 2;
const continuation = 0;
const close = 8;
const ping = 9;

interface FrameOptions {
  readonly isFinal?: boolean;
  readonly isMasked?: boolean;
  readonly reservedBits?: number;
  /** The length that the header states. Default: that of the payload. */
  readonly length?: bigint;
}

/** A frame of a client. Its mask is zero, so that the payload is sent as it is. */
function frame(opcode: number, payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { isFinal = true, isMasked = true, reservedBits = 0 } = options;
  const bytes = Buffer.from(payload);
  const length = options.length ?? BigInt(bytes.length);
  const header = Buffer.alloc(length < 126n ? 2 : length < 65_536n ? 4 : 10);
  header[0] = (isFinal ? 0x80 : 0) | (reservedBits << 4) | opcode;
  header[1] = (isMasked ? 0x80 : 0) | (length < 126n ? Number(length) : length < 65_536n ? 126 : 127);
  if (header.length === 4) header.writeUInt16BE(Number(length), 2);
  if (header.length === 10) header.writeBigUInt64BE(length, 2);
  return Buffer.concat([header, Buffer.alloc(isMasked ? 4 : 0), bytes]);
}

/** A client that sends bytes as it likes, and what the server has sent after its answer to the upgrade. */
class BareClient implements Disposable {
  readonly #socket: Socket;
  received = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(url: string): Promise<BareClient> {
    const { port, host } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
    const client = new BareClient(socket);
    socket.write(
      `GET /graphql HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
    );
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.match(String(head), /^HTTP\/1\.1 101 /);
    socket.on('data', (bytes: Buffer) => (client.received = Buffer.concat([client.received, bytes])));
    return client;
  }

  send(...frames: Buffer[]): void {
    this.#socket.write(Buffer.concat(frames));
  }

  get text(): string {
    return String(this.received);
  }

  acknowledged(): Promise<void> {
    return until('the connection is acknowledged', () => this.text.includes('connection_ack'));
  }

  /** The code of the server's close frame. */
  async closeCode(): Promise<number> {
    const at = () => this.received.indexOf(0x88);
    await until('the server closes the socket', () => at() >= 0 && this.received.length >= at() + 4);
    return this.received.readUInt16BE(at() + 2);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

const init = frame(text, '{"type":"connection_init"}');
const query = '{"id":"1","type":"subscribe","payload":{"query":"{ __typename }"}}';

describe('a frame', () => {
  let server: Server;
  let ada: Guest;
  before(async () => {
    server = await startServer();
    ada = await Guest.signIn(server.url);
  });
  after(() => server[Symbol.asyncDispose]());

  const breaches: [string, number, () => Buffer[]][] = [
    ['without a mask', 1002, () => [frame(text, query, { isMasked: false })]],
    ['with a reserved bit', 1002, () => [frame(text, query, { reservedBits: 4 })]],
    ['with a reserved opcode', 1002, () => [frame(3, '')]],
    ['of a control opcode that is reserved', 1002, () => [frame(11, '')]],
    ['that continues nothing', 1002, () => [frame(continuation, query)]],
    ['that begins a message within another', 1002, () => [frame(text, query.slice(0, 9), { isFinal: false }), frame(text, query)]],
    ['of a ping in fragments', 1002, () => [frame(ping, 'x', { isFinal: false })]],
    ['of a ping that is too long', 1002, () => [frame(ping, 'x'.repeat(126))]],
    ['of a close with half a code', 1002, () => [frame(close, 'x')]],
    ['of a close with a code that may not be sent', 1002, () => [frame(close, Buffer.from([0x03, 0xed]))]],
    ['of a close whose reason is not UTF-8', 1007, () => [frame(close, Buffer.from([0x03, 0xe8, 0xff]))]],
    ['of text that is not UTF-8', 1007, () => [frame(text, Buffer.from([0x22, 0xc3, 0x28, 0x22]))]],
    ['of text that ends within a character', 1007, () => [frame(text, Buffer.from([0x22, 0xe7, 0x95]))]],
    ['of 65,537 bytes', 1009, () => [frame(text, 'x'.repeat(65_537))]],
    ['that states 2 ** 40 bytes', 1009, () => [frame(text, 'x', { length: 2n ** 40n })]],
    ['that states 2 ** 62 bytes', 1009, () => [frame(binary, 'x', { length: 2n ** 62n })]],
    [
      'of a message that is too long in fragments',
      1009,
      () => [frame(text, 'x'.repeat(40_000), { isFinal: false }), frame(continuation, 'x'.repeat(40_000))],
    ],
    ['of binary data that is no message', 4400, () => [frame(binary, Buffer.from([0xff, 0, 0xfe]))]],
    ['that is empty', 4400, () => [frame(text, '')]],
    ['of two messages', 4400, () => [frame(text, `${query}${query}`)]],
    ['of a BOM before the message', 4400, () => [frame(text, `\ufeff${query}`)]],
  ];
  for (const [what, code, frames] of breaches) {
    for (const [when, first] of [
      ['at once', []],
      ['after connection_init', [init]],
    ] as [string, Buffer[]][]) {
      it(`${what} closes its socket with ${code}, ${when}`, async () => {
        using client = await BareClient.open(server.url);
        client.send(...first, ...frames());
        assert.equal(await client.closeCode(), code);
        assert.equal(await ada.refusal('{ viewer { id } }'), undefined);
      });
    }
  }

  it('may be a fragment, with a ping between fragments', async () => {
    using client = await BareClient.open(server.url);
    client.send(init);
    await client.acknowledged();
    const parts = [query.slice(0, 10), query.slice(10, 30), query.slice(30)];
    client.send(frame(text, parts[0] as string, { isFinal: false }), frame(ping, 'x'));
    client.send(frame(continuation, parts[1] as string, { isFinal: false }), frame(continuation, parts[2] as string));
    await until('it is answered', () => client.text.includes('"__typename":"Query"'));
    assert.ok(client.received.includes(Buffer.from([0x8a, 1, 0x78])), 'the ping is answered');
  });

  it('may arrive byte by byte', async () => {
    using client = await BareClient.open(server.url);
    for (const byte of init) client.send(Buffer.from([byte]));
    await client.acknowledged();
    for (const byte of frame(text, query)) client.send(Buffer.from([byte]));
    await until('it is answered', () => client.text.includes('"__typename":"Query"'));
  });

  it('of binary data is read as text', async () => {
    using client = await BareClient.open(server.url);
    client.send(init);
    await client.acknowledged();
    client.send(frame(binary, query));
    await until('it is answered', () => client.text.includes('"__typename":"Query"'));
  });
});

const deep = `${'['.repeat(500)}${']'.repeat(500)}`;
const shapes: [string, number, string][] = [
  ['a number', 4400, '1'],
  ['null', 4400, 'null'],
  ['a message without a type', 4400, '{}'],
  ['a type that is no string', 4400, '{"type":["subscribe"]}'],
  ['a subscribe with a number as id', 4400, '{"id":1,"type":"subscribe","payload":{"query":"{ __typename }"}}'],
  ['a subscribe with an empty id', 4400, '{"id":"","type":"subscribe","payload":{"query":"{ __typename }"}}'],
  ['a subscribe without a payload', 4400, '{"id":"1","type":"subscribe"}'],
  ['a subscribe with a list as payload', 4400, '{"id":"1","type":"subscribe","payload":[]}'],
  ['a subscribe without a query', 4400, '{"id":"1","type":"subscribe","payload":{}}'],
  [
    'a subscribe with a list as operationName',
    4400,
    '{"id":"1","type":"subscribe","payload":{"query":"{ __typename }","operationName":[]}}',
  ],
  ['a subscribe with a list as variables', 4400, '{"id":"1","type":"subscribe","payload":{"query":"{ __typename }","variables":[]}}'],
  ['a subscribe with a string as extensions', 4400, '{"id":"1","type":"subscribe","payload":{"query":"{ __typename }","extensions":"x"}}'],
  ['a complete with a number as id', 4400, '{"id":1,"type":"complete"}'],
  ['a next', 4400, '{"id":"1","type":"next","payload":{"data":{}}}'],
  ['an error', 4400, '{"id":"1","type":"error","payload":[{"message":"x"}]}'],
  ['an error without a payload', 4400, '{"id":"1","type":"error"}'],
  ['a connection_ack', 4400, '{"type":"connection_ack"}'],
  ['a ping with a list as payload', 4400, '{"type":"ping","payload":[]}'],
  ['a pong with a string as payload', 4400, '{"type":"pong","payload":"x"}'],
  ['a ping that nests deeply', 4400, `{"type":"ping","payload":{"x":${deep}}}`],
  ['a pong that nests deeply', 4400, `{"type":"pong","payload":{"x":${deep}}}`],
  ['a connection_init with a string as payload', 4400, '{"type":"connection_init","payload":"x"}'],
  ['a connection_init that nests deeply', 4400, `{"type":"connection_init","payload":{"x":${deep}}}`],
  ['a connection_init with a number as authorization', 4403, '{"type":"connection_init","payload":{"authorization":1}}'],
  ['a connection_init with a bad token', 4403, '{"type":"connection_init","payload":{"authorization":"Bearer x"}}'],
  ['a subscribe', 4401, query],
];

describe('a message before connection_init', () => {
  let server: Server;
  before(async () => {
    server = await startServer();
  });
  after(() => server[Symbol.asyncDispose]());

  for (const [what, code, message] of shapes) {
    it(`closes its socket with ${code}: ${what}`, async () => {
      using client = await BareClient.open(server.url);
      client.send(frame(text, message));
      assert.equal(await client.closeCode(), code);
    });
    if (code !== 4400) continue;
    it(`closes its socket with ${code} after connection_init too: ${what}`, async () => {
      using client = await BareClient.open(server.url);
      client.send(init, frame(text, message));
      assert.equal(await client.closeCode(), code);
    });
  }

  it('is answered, or ignored, if it is a ping, a pong or a complete', async () => {
    using client = await BareClient.open(server.url);
    client.send(frame(text, '{"id":"1","type":"complete"}'), frame(text, '{"type":"pong"}'), frame(text, '{"type":"ping"}'));
    await until('the ping is answered', () => client.text.includes('{"type":"pong"}'));
    client.send(init);
    await client.acknowledged();
    client.send(frame(text, query));
    await until('it is answered', () => client.text.includes('"__typename":"Query"'));
  });
});
