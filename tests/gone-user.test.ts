// A user whose row an operator deletes: whatever they had open ends, and what the others see stays right.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EventStream } from './support/event-stream.ts';
import { collectLog } from './support/log.ts';
import { ManualClock } from './support/manual-clock.ts';
import { Guest, startServer, storages } from './support/server.ts';
import { RawSocket } from './support/socket.ts';
import { roomEvents } from './support/ways.ts';

for (const storage of storages) {
  it(`a user whose row is deleted is signed out everywhere within seconds, on ${storage}`, async () => {
    const { log, lines } = collectLog();
    const clock = new ManualClock();
    await using server = await startServer({ storage, log, clock });
    const [ada, grace] = [await Guest.signIn(server.url, 'Ada'), await Guest.signIn(server.url, 'Grace')];
    const [open, shared] = [
      await ada.createRoom({ memberIds: [grace.userId] }),
      await ada.createRoom({ kind: 'PRIVATE', memberIds: [grace.userId] }),
    ];
    const socket = await RawSocket.signedIn(server.url, grace.token);
    socket.subscribe('open', roomEvents, { roomId: open });
    assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
    const stream = await EventStream.open(grace, roomEvents, { variables: { roomId: shared } });
    await server.app.storage.db.deleteFrom('users').where('id', '=', grace.userId).execute();

    const codes = await Promise.all([
      grace.refusal('{ viewer { user { name } } }'),
      grace.refusal('mutation ($id: ID!) { sendMessage(input: { roomId: $id, body: "boo" }) { message { id } } }', { id: open }),
    ]);
    assert.deepEqual(codes, ['UNAUTHENTICATED', 'UNAUTHENTICATED']);
    // On the socket, which was identified before.
    const send = 'mutation ($id: ID!) { sendMessage(input: { roomId: $id, body: "boo" }) { message { id } } }';
    socket.subscribe('send', send, { id: open });
    for (;;) {
      const frame = await socket.next();
      if (frame.id !== 'send') continue;
      assert.equal(frame.payload.errors[0].extensions.code, 'UNAUTHENTICATED');
      break;
    }
    // Within 10 s, the server checks whether the users that it knows still exist.
    await clock.advance(10_001);
    assert.equal(await grace.refusal('{ viewer { id } }'), 'UNAUTHENTICATED');
    let last: string | undefined;
    for (let event = await stream.next(); event; event = await stream.next()) last = event.data || last;
    assert.match(last ?? '', /MemberLeft|UNAUTHENTICATED/);
    assert.equal((await socket.closed).code, 4403);
    for (const id of [open, shared]) {
      assert.deepEqual(await ada.must('query ($id: ID!) { room(id: $id) { memberCount } }', { id }), { room: { memberCount: 1 } });
    }
    assert.deepEqual(
      lines.filter(({ level }) => level === 'error'),
      [],
    );
  });
}
