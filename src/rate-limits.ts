// Every limit on how often a user or an address may do something, and on the connections that they may have open. A limit is
// declared here and nowhere else: its setting, its counter and its error follow from this.

/** `points` in each window of `seconds`. A window begins with its first point. */
export interface Allowance {
  readonly points: number;
  readonly seconds: number;
}

/** Each combination of these has points of its own. */
export type KeyPart = 'user' | 'room' | 'address';

interface RateLimit extends Allowance {
  readonly key: readonly KeyPart[];
  /** What takes a point, in the plural. Completes the sentence "Too many …". */
  readonly what: string;
}

interface OpenLimit {
  /** Maximum number that one node has open at once. */
  readonly points: number;
  readonly key: readonly KeyPart[];
}

const hour = 3600;

/** Counted for the cluster. */
export const rateLimits = {
  send: { points: 30, seconds: 10, key: ['user'], what: 'messages' },
  sendInRoom: { points: 5, seconds: 1, key: ['user', 'room'], what: 'messages in this room' },
  /** Every mutation by a user, except for sends, signOut and renewToken. The limits below apply as well. */
  change: { points: 10, seconds: 1, key: ['user'], what: 'changes' },
  /** Moves of the user's read markers. */
  marker: { points: 5, seconds: 1, key: ['user'], what: 'moves of read markers' },
  createRoom: { points: 10, seconds: hour, key: ['user'], what: 'new rooms' },
  joinOrLeave: { points: 10, seconds: 60, key: ['user', 'room'], what: 'joins and leaves of this room' },
  /** Members added, and DIRECT rooms opened. */
  invite: { points: 20, seconds: hour, key: ['user'], what: 'invitations' },
  signIn: { points: 10, seconds: hour, key: ['address'], what: 'sign-ins from this network' },
} as const satisfies Record<string, RateLimit>;

/** WebSockets and event streams that are open on one node. */
export const openLimits = {
  socketsOfUser: { points: 20, key: ['user'] },
  socketsOfAddress: { points: 200, key: ['address'] },
} as const satisfies Record<string, OpenLimit>;

export type RateLimitName = keyof typeof rateLimits;
export type OpenLimitName = keyof typeof openLimits;

/** The limits of a server. Undefined: there is none. */
export interface LimitValues {
  readonly rates: Readonly<Record<RateLimitName, Allowance | undefined>>;
  readonly open: Readonly<Record<OpenLimitName, number | undefined>>;
}

/** The name of a limit's setting: `RATE_LIMIT_SEND_IN_ROOM` for `sendInRoom`. */
export const settingOf = <Name extends RateLimitName | OpenLimitName>(name: Name): string =>
  `RATE_LIMIT_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** The names of limits of one kind. */
export const namesOf = <Name extends string>(limits: Readonly<Record<Name, unknown>>): readonly Name[] => Object.keys(limits) as Name[];
