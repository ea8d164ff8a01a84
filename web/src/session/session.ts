// The session of the viewer. It begins by asking the server who the viewer is. Every later request names that viewer, so nothing
// is sent as somebody else who signs in in another tab. If the server refuses, the session asks again who is signed in.

import { errorCode, isSignedOut } from 'gapless/client';
import { Api, type ApiOptions } from '../api.ts';
import {
  CreateSessionDocument,
  type PersonFragment,
  SignInDocument,
  SignOutDocument,
  ViewerDocument,
  type ViewerQuery,
} from '../gql/graphql.ts';
import { Outbox } from '../outbox.ts';
import { untilAnswered } from '../retry.ts';
import { forgetDrafts, inheritDrafts } from '../room/draft.ts';
import { local } from '../storage.ts';
import { Store } from '../store.ts';
import { SignedIn } from './signed-in.ts';
import { findToken, forgetToken, keepToken, recoveryLink, takeTokenFromAddress } from './token.ts';

/** Why a session has ended by itself: the server refused it, or it was signed out in another tab or on another device. */
export type End = 'refused' | 'signedOut';

export type SessionState =
  | { readonly at: 'opening'; readonly failing: boolean }
  /** Without `ended`, the viewer has not signed in, or has signed out here. */
  | { readonly at: 'signedOut'; readonly ended: End | undefined }
  | { readonly at: 'signedIn'; readonly chat: SignedIn }
  /** A recovery link was opened. Without a viewer, it does not work any more. */
  | { readonly at: 'recovering'; readonly viewer: PersonFragment | undefined; readonly confirm: () => Promise<void> }
  /** `former` was signed in here, and `viewer` has signed in in another tab. */
  | { readonly at: 'replaced'; readonly former: PersonFragment; readonly viewer: PersonFragment };

/** Id of the last guest. A guest who signs in again gets a new id, and inherits unsent messages and drafts. */
const lastGuestKey = 'gapless.last-guest';
/** Whether the guest has signed out in a tab of this browser. What they wrote was deleted then. */
const hasSignedOut = () => local.get(lastGuestKey) === undefined;

export class Session {
  readonly state = new Store<SessionState>({ at: 'opening', failing: false });
  /** The identity mode, which the server writes into the page. */
  readonly identity = document.documentElement.dataset['identity'] === 'jwt' ? 'jwt' : 'guest';
  #api: Api | undefined;
  #stop = new AbortController();
  /** A former viewer of this tab, whose unsent messages and drafts the next one gets. */
  #inheritFrom: string | undefined;
  /** While the viewer signs out, the end of their own session is no refusal. */
  #signingOut = false;

  constructor() {
    if (this.identity === 'jwt') {
      this.#begin();
      window.addEventListener('hashchange', () => this.#takeToken() && this.#begin());
      return;
    }
    if (!this.#recover()) this.#begin();
    window.addEventListener('hashchange', () => this.#recover());
    window.addEventListener('storage', ({ key }) => key === lastGuestKey && this.#check());
  }

  /** Continues with the session that the browser has. */
  resume(): void {
    this.#begin();
  }

  /** Another session of the guest, for a link with which they can come back after they have signed out. */
  async createRecoveryLink(): Promise<string> {
    const { createSession } = await this.#anonymous().mutate(CreateSessionDocument, { setsCookie: false });
    return recoveryLink(createSession?.token as string);
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

  /** Continues as the viewer who has signed in in another tab, with what was written and not sent here. */
  continueAsReplacement(): void {
    const { value } = this.state;
    if (value.at !== 'replaced') return;
    this.#inheritFrom = value.former.id;
    this.#begin(value.viewer);
  }

  async signOut(): Promise<void> {
    this.#signingOut = true;
    try {
      await this.#anonymous().mutate(SignOutDocument, {});
    } catch (error) {
      // A token that does not count any more is forgotten. The cookie may be that of somebody else by now.
      if (errorCode(error) !== 'UNAUTHENTICATED' || this.identity === 'guest') throw error;
    } finally {
      this.#signingOut = false;
    }
    const { value } = this.state;
    if (value.at === 'signedIn') forgetDrafts(value.chat.viewer.id);
    // A guest who signs in later is a new user.
    if (value.at === 'signedIn' && this.identity === 'guest') value.chat.forget();
    local.remove(lastGuestKey);
    this.#leave(undefined);
  }

  #anonymous(): Api {
    this.#api ??= new Api({ token: undefined, onRefused: () => {} });
    return this.#api;
  }

  /** Asks before it signs in as the guest of a recovery link, who may not be the one who is signed in. False if there is no link. */
  #recover(): boolean {
    const token = takeTokenFromAddress('recover');
    if (token === undefined) return false;
    this.#close();
    this.state.set({ at: 'opening', failing: false });
    const { signal } = this.#stop;
    const api = new Api({ token, onRefused: () => {} });
    this.#api = api;
    const confirm = async () => {
      await api.mutate(CreateSessionDocument, { setsCookie: true });
      this.#begin();
    };
    const show = (viewer?: PersonFragment) => signal.aborted || this.state.set({ at: 'recovering', viewer, confirm });
    this.#askWho({ token, onRefused: () => {} }, signal).then(
      (viewer) => show(viewer?.user),
      () => show(),
    );
    return true;
  }

  /** Another tab has signed in or out. */
  #check(): void {
    const { value } = this.state;
    if (value.at === 'signedIn' && local.get(lastGuestKey) !== value.chat.viewer.id) this.#begin(value.chat.viewer, 'signedOut');
    if (value.at === 'replaced') this.#begin(value.former);
    if (value.at === 'signedOut' && value.ended === 'refused' && hasSignedOut()) this.state.set({ at: 'signedOut', ended: 'signedOut' });
  }

  /** The server refuses the viewer, or somebody else is signed in now. Cookies are shared by all tabs, tokens are not. */
  #onRefused(error: unknown): void {
    const { value } = this.state;
    const ended = isSignedOut(error) ? 'signedOut' : 'refused';
    if (this.identity === 'guest' && value.at === 'signedIn') this.#begin(value.chat.viewer, ended);
    else this.#leave(ended);
  }

  /** `former` is the viewer who was signed in here until now. If nobody is signed in any more, `ended` says why. */
  #begin(former?: PersonFragment, ended: End = 'refused'): void {
    this.#close();
    this.#takeToken();
    const token = this.identity === 'jwt' ? findToken() : undefined;
    if (this.identity === 'jwt' && token === undefined) {
      this.state.set({ at: 'signedOut', ended: undefined });
      return;
    }
    this.state.set({ at: 'opening', failing: false });
    const { signal } = this.#stop;
    const onRefused = (error: unknown) => signal.aborted || this.#signingOut || this.#onRefused(error);
    this.#open({ token, onRefused }, signal, former, ended).catch((error: unknown) => {
      if (signal.aborted) return;
      if (errorCode(error) === 'UNAUTHENTICATED') return this.#leave(isSignedOut(error) ? 'signedOut' : 'refused');
      // A fault of the page or of the server. The viewer stays signed in, for a reload.
      this.state.set({ at: 'opening', failing: true });
      reportError(error);
    });
  }

  async #open(options: ApiOptions, signal: AbortSignal, former: PersonFragment | undefined, ended: End): Promise<void> {
    const viewer = await this.#askWho(options, signal);
    if (!viewer) return former ? this.#leave(hasSignedOut() ? 'signedOut' : ended) : this.state.set({ at: 'signedOut', ended: undefined });
    if (former && former.id !== viewer.user.id) return this.state.set({ at: 'replaced', former, viewer: viewer.user });
    if (this.identity === 'guest') {
      for (const before of [local.get(lastGuestKey), this.#inheritFrom]) {
        if (before === undefined || before === viewer.user.id) continue;
        Outbox.inherit(before, viewer.user.id);
        inheritDrafts(before, viewer.user.id);
      }
      this.#inheritFrom = undefined;
      local.set(lastGuestKey, viewer.user.id);
    }
    this.#api = new Api({ ...options, viewerId: viewer.id });
    this.state.set({ at: 'signedIn', chat: new SignedIn(viewer.user, this.#api) });
  }

  async #askWho(options: ApiOptions, signal: AbortSignal): Promise<ViewerQuery['viewer']> {
    const api = new Api(options);
    const onFailure = () => this.state.set({ at: 'opening', failing: true });
    try {
      return (await untilAnswered(() => api.query(ViewerDocument, {}), { signal, onFailure })).viewer;
    } finally {
      api.close();
    }
  }

  #takeToken(): boolean {
    const token = this.identity === 'jwt' ? takeTokenFromAddress('token') : undefined;
    if (token !== undefined) keepToken(token);
    return token !== undefined;
  }

  #leave(ended: End | undefined): void {
    this.#close();
    forgetToken();
    this.state.set({ at: 'signedOut', ended });
  }

  #close(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    if (this.state.value.at === 'signedIn') this.state.value.chat.close();
    this.#api?.close();
    this.#api = undefined;
  }
}
