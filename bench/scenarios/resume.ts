// Many clients lose their connection, miss messages, and resume at the same time.

import { Audience } from '../load/audience.ts';
import { HttpConnection } from '../load/http-connection.ts';
import { range } from '../load/parallel.ts';
import type { Token } from '../load/protocol.ts';
import { openSocketSender } from '../load/senders.ts';
import { gaplessOnly, type Scenario, samplesOf } from './scenario.ts';

const clients = 2000;
const missed = 500;
const viewers = 100;
/** Concurrent handshakes. Node's backlog holds about 500, and the network retries others after a second. */
const resumeAtOnce = 256;
const arrivalTimeoutMs = 120_000;

export const resume: Scenario = {
  number: 6,
  title: '2,000 clients resume after 500 missed messages',
  text: `${clients} connections that watch one room are cut, ${missed} messages are sent, and all clients resume at the same time, each from its cursor. The time ends when every client has every message. Log reads are counted by the node. The other contenders cannot resume.`,
  connections: clients + 1,
  figures: [
    { id: 'resume.seconds', title: 'until all are complete', unit: 's' },
    { id: 'resume.cpu', title: 'CPU of the server', unit: 's' },
    { id: 'resume.reads', title: 'log reads', unit: '' },
  ],
  contenders: gaplessOnly,
  run: (rig, contender) =>
    rig.with(contender, async (server) => {
      const { port } = server;
      const fixture = await contender.prepare(port, { rooms: 1, viewers, senders: 1 });
      const room = fixture.rooms[0] as string;
      const open = (after?: string) => {
        const seats = range(clients).map((index) => ({ room, token: fixture.viewers[index % viewers], after }));
        return Audience.open(port, contender.webSocket, seats, resumeAtOnce);
      };
      using sender = await openSocketSender(port, contender.webSocket, fixture.senders[0]);
      {
        using watching = await open();
        // A watcher receives only what is sent after its subscription, which nothing acknowledges.
        while (watching.roomsWithout(1).size > 0) {
          await sender.send(room);
          await watching.untilQuiet();
        }
      }
      const after = await readHead(port, room, fixture.senders[0]);
      for (let sent = 0; sent < missed; sent += 1) await sender.send(room);

      await server.untilIdle();
      const readsBefore = await countReads(port);
      const { result, seconds, serverUs, doubts } = await rig.measure([server], async () => {
        const resumed = await open(after);
        await resumed.untilReceived(clients * missed, arrivalTimeoutMs);
        return resumed;
      });
      using audience = result;
      await audience.untilQuiet();
      if (audience.received > clients * missed) throw new Error(`${audience.received} deliveries arrived instead of ${clients * missed}.`);
      const reads = (await countReads(port)) - readsBefore;
      return samplesOf(contender.name, { 'resume.seconds': seconds, 'resume.cpu': serverUs / 1e6, 'resume.reads': reads }, doubts);
    }),
};

const headQuery = 'query ($id: ID!) { room(id: $id) { messages(last: 1) { syncCursor } } }';

async function readHead(port: number, id: string, token: Token): Promise<string> {
  const connection = await HttpConnection.open(port);
  const answer = await connection.post('/graphql', JSON.stringify({ query: headQuery, variables: { id } }), token);
  connection.destroy();
  return JSON.parse(answer).data.room.messages.syncCursor;
}

/** Reads of the log since the node was started. */
async function countReads(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/ready`);
  const { counts } = (await response.json()) as { counts: { feed: { reads: number } } };
  return counts.feed.reads;
}
