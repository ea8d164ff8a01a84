// A node that serves account streams, without a server.

import type { Bus } from '../../src/bus/bus.ts';
import { ChangeStream } from '../../src/bus/change-stream.ts';
import type { Chat } from '../../src/chat/chat.ts';
import { Accounts } from '../../src/feed/accounts.ts';
import { noteMemberships } from '../../src/storage/changes.ts';
import { currentXid } from '../../src/storage/tables.ts';
import { retryFor } from './retry.ts';
import { silentLog } from './server.ts';
import type { TestStorage } from './storage.ts';

export class Node implements Disposable {
  readonly accounts: Accounts;
  readonly changes: ChangeStream;

  private constructor(accounts: Accounts, changes: ChangeStream) {
    this.accounts = accounts;
    this.changes = changes;
  }

  static async open({ storage }: Pick<TestStorage, 'storage'>, bus: Bus): Promise<Node> {
    const changes = await ChangeStream.open(storage.feedDb, bus, silentLog);
    return new Node(new Accounts(storage, changes, retryFor()), changes);
  }

  [Symbol.dispose](): void {
    this.accounts[Symbol.dispose]();
    this.changes[Symbol.dispose]();
  }
}

/** Changes the viewer's own membership. */
export async function changeMembership(chat: Chat, userId: string, roomId: string, values: object): Promise<void> {
  await chat.db.transaction().execute(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('memberships')
      .set({ ...values, changedXid: currentXid })
      .where('userId', '=', userId)
      .where('roomId', '=', roomId)
      .executeTakeFirst();
    if (numUpdatedRows > 0n) await noteMemberships(trx, [{ userId, roomId }]);
  });
  chat.announce();
}
