// Everything that belongs to the signed-in viewer. It is closed when they sign out.

import { createContext, useContext } from 'react';
import type { Api } from '../api.ts';
import type { PersonFragment } from '../gql/graphql.ts';
import { Outbox } from '../outbox.ts';
import { People } from '../people.ts';
import { RoomList } from '../rooms/room-list.ts';

export class SignedIn {
  readonly viewer: PersonFragment;
  readonly api: Api;
  readonly people: People;
  readonly rooms: RoomList;
  readonly outbox: Outbox;

  constructor(viewer: PersonFragment, api: Api) {
    this.viewer = viewer;
    this.api = api;
    this.people = new People(viewer.id);
    this.rooms = new RoomList(api, viewer.id, this.people);
    this.outbox = new Outbox(api, viewer.id);
  }

  /** Removes what the browser stores for the viewer. */
  forget(): void {
    this.people.forget();
    this.outbox.forget();
  }

  close(): void {
    this.rooms.close();
    this.outbox.close();
  }
}

const Context = createContext<SignedIn | undefined>(undefined);

export const ChatProvider = Context.Provider;

export function useChat(): SignedIn {
  const chat = useContext(Context);
  if (!chat) throw new Error('useChat is called outside of ChatProvider.');
  return chat;
}
