// The session of the viewer. It begins by asking the server who the viewer is. If the server refuses, the viewer is signed out.

import { errorCode } from 'gapless/client';
import { Api } from '../api.ts';
import { SignInDocument, SignOutDocument, ViewerDocument } from '../gql/graphql.ts';
import { Outbox } from '../outbox.ts';
import { untilAnswered } from '../retry.ts';
import { forgetDrafts, inheritDrafts } from '../room/draft.ts';
import { local } from '../storage.ts';
import { Store } from '../store.ts';
import { SignedIn } from './signed-in.ts';
import { findToken, forgetToken, keepToken, takeTokenFromAddress } from './token.ts';

export type SessionState =
  | { readonly at: 'opening'; readonly failing: boolean }
  /** `refused`: the viewer was signed in, and the server does not accept the session any more. */
  | { readonly at: 'signedOut'; readonly refused: boolean }
  | { readonly at: 'signedIn'; readonly chat: SignedIn };

/** Id of the last guest. A guest who signs in again gets a new id, and inherits unsent messages and drafts. */
const lastGuestKey = 'gapless.last-guest';

export class Session {
  readonly state = new Store<SessionState>({ at: 'opening', failing: false });
  /** The identity mode, which the server writes into the page. */
  readonly identity = document.documentElement.dataset['identity'] === 'jwt' ? 'jwt' : 'guest';
  #api: Api | undefined;
  #stop = new AbortController();
  /** While the viewer signs out, the end of their own session is no refusal. */
  #signingOut = false;

  constructor() {
    this.#begin();
    if (this.identity === 'jwt') window.addEventListener('hashchange', () => this.#takeToken() && this.#begin());
  }

  /** Throws if the server refuses the name. */
  async signInAsGuest(name: string): Promise<void> {
    await this.#anonymous().mutate(SignInDocument, { name });
    this.#begin();
  }

  signInWithToken(token: string): void {
    keepToken(token);
    this.#begin();
  }

  async signOut(): Promise<void> {
    this.#signingOut = true;
    try {
      if (this.identity === 'guest') await this.#anonymous().mutate(SignOutDocument, {});
    } finally {
      this.#signingOut = false;
    }
    const { value } = this.state;
    if (value.at === 'signedIn') forgetDrafts(value.chat.viewer.id);
    // A guest who signs in later is a new user.
    if (value.at === 'signedIn' && this.identity === 'guest') value.chat.forget();
    local.remove(lastGuestKey);
    this.#leave(false);
  }

  #anonymous(): Api {
    this.#api ??= new Api({ token: undefined, onRefused: () => {} });
    return this.#api;
  }

  #begin(): void {
    this.#close();
    this.#takeToken();
    const token = this.identity === 'jwt' ? findToken() : undefined;
    if (this.identity === 'jwt' && token === undefined) {
      this.state.set({ at: 'signedOut', refused: false });
      return;
    }
    this.state.set({ at: 'opening', failing: false });
    const { signal } = this.#stop;
    const api = new Api({ token, onRefused: () => signal.aborted || this.#signingOut || this.#leave(true) });
    this.#api = api;
    this.#open(api, signal).catch((error: unknown) => {
      if (signal.aborted) return;
      if (errorCode(error) === 'UNAUTHENTICATED') return this.#leave(true);
      // A fault of the page or of the server. The viewer stays signed in, for a reload.
      this.state.set({ at: 'opening', failing: true });
      reportError(error);
    });
  }

  async #open(api: Api, signal: AbortSignal): Promise<void> {
    const { viewer } = await untilAnswered(() => api.query(ViewerDocument, {}), {
      signal,
      onFailure: () => this.state.set({ at: 'opening', failing: true }),
    });
    if (!viewer) return this.state.set({ at: 'signedOut', refused: false });
    if (this.identity === 'guest') {
      const before = local.get(lastGuestKey);
      if (before !== undefined && before !== viewer.user.id) {
        Outbox.inherit(before, viewer.user.id);
        inheritDrafts(before, viewer.user.id);
      }
      local.set(lastGuestKey, viewer.user.id);
    }
    this.state.set({ at: 'signedIn', chat: new SignedIn(viewer.user, api) });
  }

  #takeToken(): boolean {
    const token = this.identity === 'jwt' ? takeTokenFromAddress() : undefined;
    if (token !== undefined) keepToken(token);
    return token !== undefined;
  }

  #leave(refused: boolean): void {
    this.#close();
    forgetToken();
    this.state.set({ at: 'signedOut', refused });
  }

  #close(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    if (this.state.value.at === 'signedIn') this.state.value.chat.close();
    this.#api?.close();
    this.#api = undefined;
  }
}
