// Servers that are broken on purpose. The proof must fail each: one that it passes proves nothing.

import { type Verdict, verdictNames } from '../check/verdicts.ts';

export interface Control {
  /** Its folder. */
  readonly name: string;
  readonly breaks: string;
  /** Kinds of fault, by words of their names, that bring it out; the one that does so soonest is the first. */
  readonly broughtOutBy: readonly string[];
  /** At least these verdicts find it. */
  readonly verdicts: readonly Verdict[];
  /** Settings of PostgreSQL, where the fault hides behind its defaults. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** The nodes reach PostgreSQL through PgBouncer, and commits are not durable by default. */
  readonly pooled?: boolean;
  /** Nothing is broken, and none of the verdicts may be found: the server itself, on what another control runs on. */
  readonly sound?: boolean;
}

/** What is not flushed yet is what a kill takes: this is flushed late. */
const flushedLate = { wal_writer_delay: '10s', wal_writer_flush_after: '1GB', wal_buffers: '64MB' };

export const controls: readonly Control[] = [
  {
    name: 'no-gap-read',
    breaks: 'An entry that is ahead of the last is taken for the next, and the log is not read.',
    broughtOutBy: ['Redis killed', 'Redis cuts its subscribers', 'one node cut off from Redis'],
    verdicts: ['skipped', 'unseen'],
  },
  {
    name: 'no-head-check',
    breaks: 'What Redis lost last, with nothing after it, is not looked for.',
    broughtOutBy: ['Redis killed', 'Redis absent', 'Redis silent'],
    verdicts: ['late'],
  },
  {
    name: 'read-before-listening',
    breaks: 'The log is read before the node subscribes to the room.',
    broughtOutBy: ['links reset', 'a rolling restart', 'clients cut at once'],
    verdicts: ['skipped', 'unseen'],
  },
  {
    name: 'failed-execution-moves-position',
    breaks: 'An event whose execution failed is delivered without data, and the position moves.',
    broughtOutBy: ['PostgreSQL refusing', 'PostgreSQL stopped', 'file descriptors'],
    verdicts: ['skipped', 'unseen'],
  },
  {
    name: 'no-idempotency-key',
    breaks: 'A retry is a message of its own.',
    broughtOutBy: ['the answer to every', 'one key sent', 'a node killed'],
    verdicts: ['doublePosted'],
  },
  {
    name: 'yoga-pubsub',
    breaks: 'Feeds are those of Yoga’s createPubSub: live events, and nothing of what was missed.',
    broughtOutBy: ['Redis killed', 'a node killed', 'links reset'],
    verdicts: ['skipped', 'unseen'],
  },
  {
    name: 'no-synchronous-commit',
    breaks: 'A send is answered before it is on the disk.',
    broughtOutBy: ['PostgreSQL killed'],
    verdicts: ['lost'],
    postgresSettings: flushedLate,
  },
  {
    name: 'session-durability',
    breaks: 'Durability is set for the session, behind a pooler that runs each transaction in another one.',
    broughtOutBy: ['PostgreSQL killed'],
    verdicts: ['lost'],
    postgresSettings: flushedLate,
    pooled: true,
  },
  {
    name: 'the server itself behind a pooler',
    breaks: 'Nothing. It runs as the control before it does.',
    broughtOutBy: ['PostgreSQL killed'],
    // Not `late`: PgBouncer decides when it connects to a PostgreSQL that is back.
    verdicts: verdictNames.filter((name) => name !== 'late'),
    postgresSettings: flushedLate,
    pooled: true,
    sound: true,
  },
];

/** What Node is told before the program for it to run as the control. */
export const argumentsFor = ({ name, sound = false }: Pick<Control, 'name' | 'sound'>): string[] =>
  sound ? [] : ['--import', new URL(`./hook.ts?${name}`, import.meta.url).href];
