// What random traffic is about: guests who are signed in, and the ids, cursors and tokens that the server has answered. Guests
// who were signed out are replaced, so that the traffic does not end as a series of UNAUTHENTICATED.

import { pick } from '../support/random.ts';
import { Guest } from '../support/server.ts';

/** Values of each kind that are remembered, the newest. */
const remembered = 40;
const kinds = ['room', 'message', 'user', 'viewer', 'membership'] as const;
type Kind = (typeof kinds)[number];

export class Scene {
  readonly url: string;
  readonly #random: () => number;
  readonly #ids = new Map<Kind, string[]>(kinds.map((kind) => [kind, [`${kind}_00000000000000000000000000`]]));
  readonly #cursors: string[] = ['x'];
  readonly #tokens: string[] = ['x'];
  #guests: Guest[] = [];

  private constructor(url: string, random: () => number) {
    this.url = url;
    this.#random = random;
  }

  static async open(url: string, random: () => number): Promise<Scene> {
    const scene = new Scene(url, random);
    scene.#guests = [await scene.#signIn(), await scene.#signIn()];
    await scene.furnish();
    return scene;
  }

  guest(): Guest {
    return pick(this.#guests, this.#random);
  }

  /** An id. Mostly of the kind that `name` says, as in `roomId`. */
  id(name: string): string {
    const meant = kinds.find((kind) => name === `${kind}Id`) ?? (name === 'memberIds' ? 'user' : undefined);
    const kind = meant === undefined || this.#random() < 0.1 ? pick(kinds, this.#random) : meant;
    return pick(this.#ids.get(kind) as string[], this.#random);
  }

  cursor(): string {
    return pick(this.#cursors, this.#random);
  }

  token(): string {
    return pick(this.#tokens, this.#random);
  }

  /** Creates rooms with messages, because random mutations delete what there is. */
  async furnish(): Promise<void> {
    const [ada, bob] = this.#guests as [Guest, Guest];
    for (const kind of ['OPEN', 'PRIVATE'] as const) {
      const memberIds = kind === 'PRIVATE' ? [bob.userId] : [];
      const roomId = await ada.createRoom({ name: kind, kind: kind as never, memberIds });
      const { message } = await ada.send(roomId, 'Hello');
      this.learn(JSON.stringify([roomId, message.id, message, ada.userId, bob.userId, ada.viewerId]));
    }
  }

  /** Remembers the ids, cursors and tokens in an answer. */
  learn(text: string): void {
    for (const [id, kind] of text.matchAll(/\b(room|message|user|viewer|membership)_[0-9a-z]{26}\b/g))
      this.#add(this.#ids.get(kind as Kind), id);
    for (const [, cursor] of text.matchAll(/"\w*[cC]ursor":"([^"]+)"/g)) this.#add(this.#cursors, cursor);
    for (const [, token] of text.matchAll(/"token":"([^"]+)"/g)) this.#add(this.#tokens, token);
  }

  /** Replaces the guests who were signed out. */
  async replaceSignedOut(): Promise<void> {
    this.#guests = await Promise.all(
      this.#guests.map(async (guest) => ((await guest.refusal('{ viewer { id } }')) === undefined ? guest : this.#signIn())),
    );
  }

  async #signIn(): Promise<Guest> {
    const guest = await Guest.signIn(this.url, pick(['Ada', 'Bob', 'Cy'], this.#random));
    this.#add(this.#tokens, guest.token);
    return guest;
  }

  #add(list: string[] | undefined, value: string | undefined): void {
    if (!list || value === undefined || list.includes(value)) return;
    list.push(value);
    if (list.length > remembered) list.shift();
  }
}
