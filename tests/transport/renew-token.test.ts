// A socket that continues with a new token.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { SignJWT } from 'jose';
import { createPlace, Guest, type Server, startServer } from '../support/server.ts';
import { RawSocket } from '../support/socket.ts';
import { range } from '../support/storage.ts';
import { roomEvents } from '../support/ways.ts';

const secret = 'a secret of at least thirty-two bytes';
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

const tokenFor = (sub: string, expiresAt = inSeconds(3600)) =>
  new SignJWT({ sub, exp: expiresAt, iat: inSeconds(-1), jti: randomUUID() })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from(secret));

const renewToken = 'mutation ($token: String!) { renewToken(input: { token: $token }) { expiresAt } }';
const me = '{ viewer { id } }';

describe('renewToken', () => {
  const cleanup = new AsyncDisposableStack();
  let server: Server;
  let ada: Guest;
  let roomId: string;
  before(async () => {
    const place = cleanup.use(await createPlace('PostgreSQL'));
    server = cleanup.use(await startServer({ env: { ...place.env, IDENTITY: 'jwt', JWT_SECRET: secret } }));
    ada = new Guest(server.url, await tokenFor('ada'), '');
    roomId = await ada.createRoom();
  });
  after(() => cleanup.disposeAsync());

  const refusal = async (socket: RawSocket, token: string) =>
    (await socket.ask('renewal', renewToken, { token })).payload.errors?.[0].extensions.code;

  it('answers when the new token expires, and the socket lives as long', async () => {
    const [first, second] = [inSeconds(1), inSeconds(4)];
    using socket = await RawSocket.signedIn(server.url, await tokenFor('ada', first));
    const { payload } = await socket.ask('1', renewToken, { token: await tokenFor('ada', second) });
    assert.deepEqual(payload, { data: { renewToken: { expiresAt: new Date(second * 1000).toISOString() } } });
    assert.deepEqual(await socket.closed, { code: 4403, reason: 'Forbidden' });
    assert.ok(Date.now() >= second * 1000);
  });

  it('is told in connection_ack how long the token is valid', async () => {
    using socket = await RawSocket.open(server.url);
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${await tokenFor('ada', inSeconds(100))}` } });
    const { type, payload } = await socket.next();
    assert.equal(type, 'connection_ack');
    assert.ok(Math.abs(payload.expiresInMs - 100_000) < 5000, payload.expiresInMs);
  });

  it('is UNAUTHENTICATED for a bad token, and FORBIDDEN for another user or none; the socket stays as it was', async () => {
    using socket = await RawSocket.signedIn(server.url, ada.token);
    const signedOut = new Guest(server.url, await tokenFor('ada'), '');
    await signedOut.must('mutation { signOut { signedOut } }');
    for (const token of ['junk', '', await tokenFor('ada', inSeconds(-10)), signedOut.token]) {
      assert.equal(await refusal(socket, token), 'UNAUTHENTICATED');
    }
    assert.equal(await refusal(socket, await tokenFor('eve')), 'FORBIDDEN');
    assert.equal((await socket.ask('1', me)).payload.data.viewer.id, (await ada.must<{ viewer: { id: string } }, never>(me)).viewer.id);
    using anonymous = await RawSocket.signedIn(server.url);
    assert.equal(await refusal(anonymous, ada.token), 'FORBIDDEN');
  });

  it('is BAD_USER_INPUT over HTTP', async () => {
    assert.equal(await ada.refusal(renewToken, { token: ada.token }), 'BAD_USER_INPUT');
  });

  it('makes signOut end the session of the new token, and no longer that of the old one', async () => {
    const [old, next] = [await tokenFor('ada'), await tokenFor('ada')];
    using socket = await RawSocket.signedIn(server.url, old);
    assert.equal(await refusal(socket, next), undefined);
    await new Guest(server.url, old, '').must('mutation { signOut { signedOut } }');
    assert.equal((await socket.ask('1', me)).type, 'next');
    await new Guest(server.url, next, '').must('mutation { signOut { signedOut } }');
    assert.deepEqual(await socket.closed, { code: 4403, reason: 'Signed out' });
  });

  it('20 times under load loses and repeats nothing, and its subscription is not opened again', async () => {
    using socket = await RawSocket.signedIn(server.url, await tokenFor('ada'));
    socket.subscribe('events', roomEvents, { roomId });
    const renewals = 20;
    let sending = true;
    let sent = 0;
    const senders = range(1, 4).map(async () => {
      while (sending) {
        await ada.send(roomId, 'hello');
        sent += 1;
      }
    });
    const numbers: number[] = [];
    const read = async (done: (id: string | undefined) => boolean) => {
      for (;;) {
        const { id, type, payload } = await socket.next();
        const event = payload?.data?.roomEvents;
        if (event?.message) numbers.push(event.message.number);
        if (id !== 'events' && type === 'next') assert.ok(payload.data?.renewToken, JSON.stringify(payload));
        if (id === 'events' && type !== 'next') assert.fail(`The subscription ended with ${type}.`);
        if ((type === 'complete' && done(id)) || (id === 'events' && done(undefined))) return;
      }
    };
    for (let i = 0; i < renewals; i += 1) {
      const before = numbers.length;
      await read(() => numbers.length >= before + 5);
      socket.subscribe(`renewal ${i}`, renewToken, { token: await tokenFor('ada') });
      await read((id) => id === `renewal ${i}`);
    }
    sending = false;
    await Promise.all(senders);
    const { message } = await ada.send(roomId, 'last');
    await read(() => numbers.at(-1) === message.number);
    assert.deepEqual(numbers, range(numbers[0] as number, message.number));
    assert.ok(sent > renewals);
  });
});
