// Sets the durability once for each session: behind a pooler, other sessions run the transactions.

import { ServerClient as Original } from '../../../../src/storage/server-client.ts';

export * from '../../../../src/storage/server-client.ts';

export class ServerClient extends Original {
  override async prepare(): Promise<void> {
    await super.prepare();
    await this.query(`select set_config('synchronous_commit', 'on', false)`);
  }
}
