// A link between a client and an echo server: what it does to their connection, and that it does it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Link } from '../../proof/rig/link.ts';
import { freePort, until } from '../support/process.ts';
import { range } from '../support/storage.ts';

/** A client of the echo server: what came back so far, and how it ended. */
class Client implements Disposable {
  readonly socket: Socket;
  readonly pieces: Buffer[] = [];
  ended: 'no' | 'end' | 'reset' = 'no';

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
      .on('data', (piece) => this.pieces.push(piece))
      .on('end', () => (this.ended = 'end'))
      .on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNRESET') this.ended = 'reset';
      });
  }

  get text(): string {
    return String(Buffer.concat(this.pieces));
  }

  /** Waits until all of it has come back. */
  echoed(text: string): Promise<void> {
    return until(`"${text}" has come back`, () => this.text === text);
  }

  wasReset(): Promise<void> {
    return until('the connection is reset', () => this.ended === 'reset');
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

describe('a link', () => {
  let echo: Server;
  let received: string;
  before(async () => {
    echo = createServer((socket) => {
      socket
        .on('error', () => {})
        .on('data', (bytes) => {
          received += bytes;
          socket.write(bytes);
        });
    }).listen(0, '127.0.0.1');
    await once(echo, 'listening');
  });
  after(() => echo.close());

  /** A link to the echo server, and one client whose connection is up. */
  async function open(text = 'hello ') {
    received = '';
    const link = await Link.open(echo.address() as { port: number });
    const client = new Client(link.port);
    client.socket.write(text);
    await client.echoed(text);
    const dispose = async () => {
      client.socket.destroy();
      await link[Symbol.asyncDispose]();
    };
    return { link, client, [Symbol.asyncDispose]: dispose };
  }

  it('carries bytes both ways, in order, and the end', async () => {
    await using opened = await open();
    const { link, client } = opened;
    const text = range(1, 20_000).join(' ');
    client.socket.end(text);
    await client.echoed(`hello ${text}`);
    await until('the end has come back', () => client.ended === 'end');
    await until('the connection is gone', () => link.open === 0);
    const { connections, ...troubles } = link.counts;
    assert.deepEqual([connections, ...Object.values(troubles)], [1, 0, 0, 0, 0, 0, 0]);
  });

  it('holds everything while it is paused, and its sender too, and then lets all of it go on', async () => {
    await using opened = await open();
    const { link, client } = opened;
    link.impair({ paused: true });
    const text = 'x'.repeat(32 * 1024 * 1024);
    let written = false;
    client.socket.write(text, () => (written = true));
    await until('something is held', () => link.counts.impairedBytes > 0);
    assert.deepEqual([client.text, written, received], ['hello ', false, 'hello ']);
    link.heal();
    await until('all of it has come back', () => client.pieces.reduce((sum, { length }) => sum + length, 0) === text.length + 6);
  });

  it('resets every connection, and goes on with new ones', async () => {
    await using opened = await open();
    const { link, client } = opened;
    assert.equal(link.reset(), 1);
    await client.wasReset();
    using next = new Client(link.port);
    next.socket.write('again');
    await next.echoed('again');
    assert.equal(link.counts.resets, 1);
  });

  it('resets a connection that finds nobody at the other end', async () => {
    await using link = await Link.open({ port: await freePort() });
    using client = new Client(link.port);
    await client.wasReset();
    assert.equal(link.counts.targetRefused, 1);
  });

  it('refuses new connections, and leaves alone those that are open', async () => {
    await using opened = await open();
    const { link, client } = opened;
    link.impair({ refusing: true });
    using refused = new Client(link.port);
    await refused.wasReset();
    client.socket.write('you');
    await client.echoed('hello you');
    assert.equal(link.counts.refused, 1);
  });

  it('swallows what is sent, accepts new connections, and resets them all once it is healed', async () => {
    await using opened = await open();
    const { link, client } = opened;
    link.impair({ droppingAll: true });
    client.socket.write('lost');
    using late = new Client(link.port);
    late.socket.write('lost');
    await until('it is swallowed', () => link.counts.droppedBytes === 8);
    assert.deepEqual([received, client.ended, late.ended, late.socket.readyState], ['hello ', 'no', 'no', 'open']);
    link.heal();
    await Promise.all([client.wasReset(), late.wasReset()]);
    assert.equal(received, 'hello ');
  });

  it('keeps from one side that the other has gone while it swallows', async () => {
    await using opened = await open();
    const { link, client } = opened;
    link.impair({ droppingAll: true });
    client.socket.resetAndDestroy();
    await until('the client has gone', () => client.socket.closed);
    assert.equal(await new Promise((resolve) => echo.getConnections((_, count) => resolve(count))), 1);
    link.heal();
    await until('the server knows', () => new Promise((resolve) => echo.getConnections((_, count) => resolve(count === 0))));
  });

  it('leaves connections dead that lost something, where it is not healed', async () => {
    await using opened = await open();
    const { link, client } = opened;
    link.impair({ droppingAll: true });
    client.socket.write('lost');
    await until('it is swallowed', () => link.counts.droppedBytes === 4);
    link.impair({});
    client.socket.write('as well');
    await until('that is swallowed too', () => link.counts.droppedBytes === 11);
    using next = new Client(link.port);
    next.socket.write('here');
    await next.echoed('here');
    assert.deepEqual([client.ended, received], ['no', 'hello here']);
  });

  it('delays by no less than it is told, and keeps the order', async () => {
    await using opened = await open('');
    const { link, client } = opened;
    link.impair({ delayMs: 30, jitterMs: 30 });
    const began = performance.now();
    for (const i of range(1, 9)) {
      client.socket.write(String(i));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await client.echoed('123456789');
    assert.ok(performance.now() - began >= 60, 'there and back');
    assert.ok(link.counts.impairedBytes >= 18);
  });

  it('is as slow as it is told', async () => {
    await using opened = await open('');
    const { link, client } = opened;
    link.impair({ bytesPerSecond: 1000 });
    const began = performance.now();
    client.socket.write('x'.repeat(300));
    await client.echoed('x'.repeat(300));
    assert.ok(performance.now() - began >= 250);
  });

  it('hands over byte by byte', async () => {
    await using opened = await open('');
    const { link, client } = opened;
    link.impair({ bytesPerPiece: 1 });
    client.socket.write('byte by byte');
    await client.echoed('byte by byte');
    assert.ok(client.pieces.length > 1);
    assert.equal(link.counts.impairedBytes, 24);
  });

  it('cuts a connection after so many bytes', async () => {
    await using opened = await open();
    const { link, client } = opened;
    link.impair({ cutAfterBytes: 10 });
    client.socket.write('1234567');
    await client.wasReset();
    assert.deepEqual([received, client.text.length <= 6 + 3], ['hello 1234567', true]);
    link.impair({ cutAfterBytes: 4 });
    using next = new Client(link.port);
    next.socket.write('123456');
    await next.wasReset();
    assert.equal(received, 'hello 12345671234');
    assert.equal(link.counts.resets, 2);
  });

  it('loses the answer to what arrived, and resets the connection', async () => {
    await using opened = await open('');
    const { link, client } = opened;
    link.impair({ dropsAnswerTo: (request) => request.includes('commit') });
    client.socket.write('begin');
    await client.echoed('begin');
    client.socket.write('commit');
    await client.wasReset();
    assert.deepEqual([received, client.text, link.counts.answersLost], ['begincommit', 'begin', 1]);
  });
});
