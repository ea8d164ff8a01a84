// What a viewer changes about themselves: what they want to be notified of, and how others see them.

import { noteUser } from '../storage/changes.ts';
import { type Notifications, updateNotifications } from '../storage/members.ts';
import type { MembershipRow, Trx, UserRow } from '../storage/tables.ts';
import { type Appearance, distinctName, updateUser } from '../storage/users.ts';
import { notAMember } from './access.ts';
import type { Chat } from './chat.ts';
import { accountGone, requireUsers } from './gone-user.ts';

/** Changes the given settings of the viewer for a room. Throws NOT_FOUND if they are not a member of it. */
export async function updateMembership(chat: Chat, viewerId: string, roomId: string, changes: Notifications): Promise<MembershipRow> {
  return requireUsers(chat.rows, viewerId, () =>
    changeOwn(chat, viewerId, async (trx) => {
      const membership = await updateNotifications(trx, viewerId, roomId, changes);
      if (!membership) throw notAMember();
      return membership;
    }),
  );
}

export interface ViewerChanges extends Appearance {
  /** Of a guest. It gets a suffix if it only looks like that of another guest. */
  readonly name?: string;
}

/** Changes the given fields of the viewer. */
export async function updateViewer(chat: Chat, viewerId: string, { name, ...appearance }: ViewerChanges): Promise<UserRow> {
  const change = (naming: { readonly name?: string }) =>
    changeOwn(chat, viewerId, async (trx) => {
      const user = await updateUser(trx, viewerId, { ...appearance, ...naming });
      if (!user) throw accountGone();
      await noteUser(trx, viewerId);
      return user;
    });
  if (name === undefined) return change({});
  const user = await change({ name: await distinctName(chat.db, viewerId, name) });
  // Of two guests who take names at the same time, at least one sees the other here, because both are committed before they look.
  const distinct = user.name === name ? await distinctName(chat.db, viewerId, name) : user.name;
  return distinct === user.name ? user : change({ name: distinct });
}

/** Runs `work` in a transaction, after the earlier changes of the viewer that are not of one room. */
async function changeOwn<Result>(chat: Chat, viewerId: string, work: (trx: Trx) => Promise<Result>): Promise<Result> {
  const result = await chat.users.lane(viewerId).run(viewerId, () => chat.db.transaction().execute(work));
  chat.announce();
  return result;
}
