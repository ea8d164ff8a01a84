// An entry of a type that only a newer version knows is never skipped.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { newTag } from '../src/storage/cursor.ts';
import { EventStream } from './support/event-stream.ts';
import { collectLog } from './support/log.ts';
import { until } from './support/process.ts';
import { createPlace, Guest, type Server, startServer, storages } from './support/server.ts';
import { RawSocket } from './support/socket.ts';
import { quick, roomEvents, Watcher, ways } from './support/ways.ts';

for (const storage of storages) {
  describe(`an entry of an unknown type on ${storage}`, () => {
    const cleanup = new AsyncDisposableStack();
    const { log, lines } = collectLog();
    let server: Server;
    let ada: Guest;
    before(async () => {
      const place = cleanup.use(await createPlace(storage));
      server = cleanup.use(await startServer({ env: place.env, log, backoff: quick }));
      ada = await Guest.signIn(server.url);
    });
    after(() => cleanup.disposeAsync());

    /** Writes an entry as a newer version does. */
    const write = (roomId: string, type: string) =>
      sql`with entry as (
          insert into room_log (room_id, seq, tag, type) select id, head_seq + 1, ${newTag()}::int, ${type} from rooms where id = ${roomId}
          returning seq, tag)
        update rooms set head_seq = entry.seq, head_tag = entry.tag from entry where id = ${roomId}`.execute(server.app.storage.db);

    it('ends the streams of its room as a restart does, and no event stream of another room', async () => {
      const [roomId, otherId] = [await ada.createRoom(), await ada.createRoom()];
      const { message } = await ada.send(roomId, 'one');
      const variables = { roomId, after: message.cursor };
      const stream = await EventStream.open(ada, roomEvents, { variables });
      const other = await EventStream.open(ada, roomEvents, { variables: { roomId: otherId } });
      const socket = await RawSocket.signedIn(server.url, ada.token);
      socket.subscribe('1', roomEvents, variables);
      assert.equal((await socket.next()).payload.data.roomEvents.__typename, 'CaughtUp');
      await ada.send(roomId, 'two');
      assert.equal((await socket.next()).payload.data.roomEvents.message.body, 'two');
      await write(roomId, 'MessageStarred');
      await ada.send(roomId, 'three');
      assert.equal((await socket.closed).code, 1012);
      await assert.rejects(socket.next(), /closed with 1012/);
      const received: string[] = [];
      for (let event = await stream.next(); event; event = await stream.next()) received.push(`${event.event} ${event.data}`);
      assert.ok(received.some((text) => text.includes('"two"')));
      assert.ok(!received.some((text) => text.includes('"three"') || text.startsWith('complete')), received.join('\n'));
      await ada.send(otherId, 'elsewhere');
      await other.nextData();
      assert.match((await other.nextData())?.data ?? '', /elsewhere/);
      other.close();
      // A client that reconnects to this node meets the same entry at once.
      const again = await RawSocket.signedIn(server.url, ada.token);
      again.subscribe('1', roomEvents, variables);
      assert.equal((await again.closed).code, 1012);
    });

    it('holds clients before it until the node knows the type, and then nothing is missed or repeated', async () => {
      const roomId = await ada.createRoom();
      const { message } = await ada.send(roomId, 'one');
      await using stack = new AsyncDisposableStack();
      let breaks = 0;
      const onBreak = () => (breaks += 1);
      const watchers = Object.values(ways).map((way) =>
        stack.use(
          new Watcher(
            way(server.url, () => ada.token),
            { query: roomEvents, variables: { roomId, after: message.cursor } },
            { onBreak },
          ),
        ),
      );
      await ada.send(roomId, 'two');
      await until('every watcher is live', () => watchers.every(({ numbers }) => numbers.length === 1));
      await write(roomId, 'MessageStarred');
      await ada.send(roomId, 'three');
      await until('the clients have resumed several times', () => breaks >= 6);
      assert.deepEqual(
        watchers.map(({ numbers }) => numbers),
        [[2], [2]],
      );
      // Simulates an upgrade of the node.
      await sql`update room_log set type = 'RoomUpdated' where room_id = ${roomId} and type = 'MessageStarred'`.execute(
        server.app.storage.db,
      );
      await ada.send(roomId, 'four');
      await until('everyone has received every message', () => watchers.every(({ numbers }) => numbers.length >= 3));
      // After this one, a second copy of an earlier message would have arrived.
      await ada.send(roomId, 'five');
      await until('everyone has received the last message', () => watchers.every(({ numbers }) => numbers.includes(5)));
      assert.deepEqual(
        watchers.map(({ numbers }) => numbers),
        [
          [2, 3, 4, 5],
          [2, 3, 4, 5],
        ],
      );
      for (const { events } of watchers) assert.equal(events.filter(({ __typename }) => __typename === 'RoomUpdated').length, 1);
    });

    it('is logged once, and listed in /ready', () => {
      const unknown = lines.filter(({ msg }) => msg.includes('newer version'));
      assert.deepEqual(
        unknown.map(({ unknownType }) => unknownType),
        ['MessageStarred'],
      );
      assert.deepEqual(server.app.liveRooms.unknownTypes, ['MessageStarred']);
    });
  });
}
