// Servers that are broken on purpose. The proof must fail for each of them.

import { type Verdict, verdictNames } from '../check/verdicts.ts';

export interface Control {
  /** Its folder. */
  readonly name: string;
  readonly breaks: string;
  /** Kinds of fault, by words of their names, that reveal it. The fastest is the first. */
  readonly revealedBy: readonly string[];
  /** At least these verdicts find it. */
  readonly verdicts: readonly Verdict[];
  /** Settings of PostgreSQL, if its defaults hide the fault. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** The nodes reach PostgreSQL through PgBouncer, and commits are not durable by default. */
  readonly pooled?: boolean;
  /** How long writers run before the fault. */
  readonly settleMs?: number;
  /** True for the unmodified server in the setup of another control. It must have no findings of these verdicts. */
  readonly sound?: boolean;
}

/** PostgreSQL flushes late, so that a kill loses more of what was not flushed. */
const flushedLate = { wal_writer_delay: '10s', wal_writer_flush_after: '1GB', wal_buffers: '64MB' };

export const controls: readonly Control[] = [
  {
    name: 'no-gap-read',
    breaks: 'An entry with a gap before it is treated as the next one, and the log is not read.',
    revealedBy: ['Redis killed', 'Redis cuts its subscribers', 'one node cut off from Redis'],
    verdicts: ['skipped', 'unseen'],
  },
  {
    name: 'no-head-check',
    breaks: 'The heads are not checked, so a lost entry that nothing follows is not found.',
    revealedBy: ['Redis killed', 'Redis absent', 'Redis silent'],
    verdicts: ['late'],
  },
  {
    name: 'read-before-subscribing',
    breaks: 'The log is read before the node subscribes to the room.',
    revealedBy: ['links reset', 'a rolling restart', 'clients cut at once'],
    verdicts: ['skipped', 'unseen'],
  },
  {
    name: 'failed-execution-moves-position',
    breaks: 'An event whose execution failed is delivered without data, and the position moves.',
    revealedBy: ['PostgreSQL refusing', 'PostgreSQL stopped', 'file descriptors'],
    verdicts: ['skipped', 'unseen'],
  },
  {
    name: 'no-idempotency-key',
    breaks: 'A retry is a message of its own.',
    revealedBy: ['the answer to every', 'one key sent', 'a node killed'],
    verdicts: ['doublePosted'],
  },
  {
    name: 'yoga-pubsub',
    breaks: 'Feeds are those of Yoga’s createPubSub: live events only, nothing that was missed.',
    revealedBy: ['Redis killed', 'a node killed', 'links reset'],
    verdicts: ['skipped', 'unseen'],
  },
  {
    name: 'no-synchronous-commit',
    breaks: 'A send is answered before it is on the disk.',
    revealedBy: ['PostgreSQL killed'],
    verdicts: ['lost'],
    postgresSettings: flushedLate,
  },
  {
    name: 'session-durability',
    breaks: 'Durability is set for the session, behind a pooler that runs each transaction in another one.',
    revealedBy: ['PostgreSQL killed'],
    verdicts: ['lost'],
    postgresSettings: flushedLate,
    pooled: true,
    // A new connection sets the session that it reaches. Those sessions end within seconds.
    settleMs: 10_000,
  },
  {
    name: 'the server itself behind a pooler',
    breaks: 'Nothing: the setup of session-durability with the unmodified server.',
    revealedBy: ['PostgreSQL killed'],
    // Not `late`, because PgBouncer decides when it reconnects to PostgreSQL.
    verdicts: verdictNames.filter((name) => name !== 'late'),
    postgresSettings: flushedLate,
    pooled: true,
    settleMs: 10_000,
    sound: true,
  },
];

/** Arguments of Node before the program, so that it runs as the control. */
export const argumentsFor = ({ name, sound = false }: Pick<Control, 'name' | 'sound'>): string[] =>
  sound ? [] : ['--import', new URL(`./hook.ts?${name}`, import.meta.url).href];
