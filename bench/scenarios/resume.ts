// A crowd that is cut off, misses a good deal, and comes back at once.

import { Audience } from '../load/audience.ts';
import { HttpConnection } from '../load/http-connection.ts';
import { range } from '../load/parallel.ts';
import type { Ticket } from '../load/protocol.ts';
import { openSocketSender } from '../load/senders.ts';
import { gaplessOnly, type Scenario, samplesOf } from './scenario.ts';

const clients = 2000;
const missed = 500;
const viewers = 100;
/** Handshakes under way at once. Node lets some 500 wait, and the network tries what is beyond that again after a second. */
const resumeAtOnce = 256;
const patienceMs = 120_000;

export const resume: Scenario = {
  number: 6,
  title: '2,000 clients resume 500 messages behind',
  text: `${clients} connections that watch one room are cut, ${missed} messages are sent, and all come back at once, each with the cursor of where it was. The time is until every one has every message. Log reads are those that the node counts. The others cannot resume.`,
  connections: clients + 1,
  figures: [
    { id: 'resume.seconds', title: 'until all have all', unit: 's' },
    { id: 'resume.cpu', title: 'CPU of the server', unit: 's' },
    { id: 'resume.reads', title: 'log reads', unit: '' },
  ],
  contenders: gaplessOnly,
  run: (rig, contender) =>
    rig.with(contender, async (server) => {
      const { port } = server;
      const stage = await contender.prepare(port, { rooms: 1, viewers, senders: 1 });
      const room = stage.rooms[0] as string;
      const open = (after?: string) => {
        const seats = range(clients).map((index) => ({ room, ticket: stage.viewers[index % viewers], after }));
        return Audience.open(port, contender.webSocket, seats, resumeAtOnce);
      };
      using sender = await openSocketSender(port, contender.webSocket, stage.senders[0]);
      {
        using watching = await open();
        await sender.send(room);
        await watching.untilReceived(clients, patienceMs);
      }
      const after = await readHead(port, room, stage.senders[0]);
      for (let sent = 0; sent < missed; sent += 1) await sender.send(room);

      await server.untilIdle();
      const readsBefore = await countReads(port);
      const { result, seconds, serverUs, doubts } = await rig.measure([server], async () => {
        const resumed = await open(after);
        await resumed.untilReceived(clients * missed, patienceMs);
        return resumed;
      });
      using audience = result;
      await audience.untilQuiet();
      if (audience.received > clients * missed) throw new Error(`${audience.received} deliveries came, of ${clients * missed}.`);
      const reads = (await countReads(port)) - readsBefore;
      return samplesOf(contender.name, { 'resume.seconds': seconds, 'resume.cpu': serverUs / 1e6, 'resume.reads': reads }, doubts);
    }),
};

const headQuery = 'query ($id: ID!) { room(id: $id) { messages(last: 1) { syncCursor } } }';

async function readHead(port: number, id: string, ticket: Ticket): Promise<string> {
  const connection = await HttpConnection.open(port);
  const answer = await connection.post('/graphql', JSON.stringify({ query: headQuery, variables: { id } }), ticket);
  connection.destroy();
  return JSON.parse(answer).data.room.messages.syncCursor;
}

/** Reads of the log since the node was started. */
async function countReads(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/ready`);
  const { counts } = (await response.json()) as { counts: { feed: { reads: number } } };
  return counts.feed.reads;
}
