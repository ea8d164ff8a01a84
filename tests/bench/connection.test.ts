import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { Audience } from '../../bench/load/audience.ts';
import { Connection } from '../../bench/load/connection.ts';
import { Histogram } from '../../bench/load/histogram.ts';
import { HttpConnection } from '../../bench/load/http-connection.ts';
import { bare } from '../../bench/load/protocols/bare.ts';
import { openSocketSender } from '../../bench/load/senders.ts';
import { until } from '../support/process.ts';

/** The errors of a connection that the other end has closed or reset. */
const lost = /closed|ECONNRESET/;

describe('the load', () => {
  const http = createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(request.url === '/broken' ? 500 : 200).end(`${request.method} ${request.url}`));
  });
  const server = new WebSocketServer({ server: http });
  let port = 0;
  /** Opens a connection and returns both ends. */
  const open = async (): Promise<{ connection: Connection; other: WebSocket }> => {
    const accepted = once(server, 'connection');
    const connection = await Connection.open({ port, path: '/' });
    return { connection, other: (await accepted)[0] };
  };

  before(async () => {
    await once(http.listen(0, '127.0.0.1'), 'listening');
    port = (http.address() as { port: number }).port;
  });
  after(() => {
    for (const client of server.clients) client.terminate();
    http.close();
  });

  it('sends and reads short and long texts', async () => {
    const { connection, other } = await open();
    for (const text of ['é', 'long '.repeat(1000)]) {
      connection.send(text);
      const [received] = await once(other, 'message');
      assert.equal(String(received), text);
      other.send(text);
      assert.equal(await connection.nextText(() => true), text);
    }
    connection.destroy();
  });

  it('counts texts without reading them, and answers pings of WebSocket and Engine.IO', async () => {
    const { connection, other } = await open();
    let counted = 0;
    connection.count(() => (counted += 1));
    for (let index = 0; index < 1000; index += 1) other.send(`${index}:${'x'.repeat(index)}`);
    const pong = once(other, 'pong');
    const enginePong = once(other, 'message');
    other.ping('ping');
    other.send('2');
    assert.equal(String((await pong)[0]), 'ping');
    assert.equal(String((await enginePong)[0]), '3');
    assert.equal(counted, 1000);
    connection.destroy();
  });

  it('reports a connection that the server closes, with code and reason', async () => {
    const { connection, other } = await open();
    const ended = new Promise<Error>((resolve) => {
      connection.onLost = resolve;
    });
    connection.count(() => {});
    other.close(4400, 'enough');
    assert.match((await ended).message, /4400 enough/);
    assert.throws(() => connection.send('late'), /4400 enough/);
    await assert.rejects(
      connection.nextText(() => true),
      /4400 enough/,
    );
  });

  it('rejects a send whose connection is lost', async () => {
    const accepted = once(server, 'connection');
    const sender = await openSocketSender(port, bare, undefined);
    const [other] = (await accepted) as [WebSocket];
    const sent = sender.send('room');
    other.terminate();
    await assert.rejects(sent, lost);
    await assert.rejects(sender.send('room'), lost);
  });

  it('counts the messages of each watcher, and records their delays', async () => {
    const joined: WebSocket[] = [];
    const answer = (socket: WebSocket) =>
      socket.on('message', (text) => {
        joined.push(socket);
        socket.send(`{"joined":${JSON.stringify(JSON.parse(String(text)).join)}}`);
      });
    server.on('connection', answer);
    using audience = await Audience.open(port, bare, [
      { room: 'a', token: undefined },
      { room: 'b', token: undefined },
    ]);
    server.off('connection', answer);
    const histogram = new Histogram();
    audience.delays = { sentAtMs: [performance.now() - 1000, performance.now() - 5], histogram };
    joined[0]?.send('first');
    joined[0]?.send('second');
    await audience.untilReceived(2, 5000);
    assert.equal(audience.roomsWithout(1).size, 1);
    assert.ok(histogram.percentile(0.5) < 900 && histogram.percentile(1) > 990);
    joined[1]?.terminate();
    await assert.rejects(audience.untilReceived(3, 5000), lost);
  });

  it('posts over a keep-alive connection, and rejects a status other than 200', async () => {
    const connection = await HttpConnection.open(port);
    assert.equal(await connection.post('/one', '{}'), 'POST /one');
    assert.equal(await connection.post('/two', '{}'), 'POST /two');
    await assert.rejects(connection.post('/broken', '{}'), /answered 500: POST \/broken/);
    connection.destroy();
    await until('the connection is closed', () =>
      connection.post('/late', '{}').then(
        () => false,
        () => true,
      ),
    );
  });
});
