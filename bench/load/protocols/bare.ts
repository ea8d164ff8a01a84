// The protocol of the bare ws loop: JSON texts.

import { body, type Protocol } from '../protocol.ts';

export const bare: Protocol = {
  path: '/',
  async authenticate() {},
  async subscribe(connection, room) {
    connection.send(JSON.stringify({ join: room }));
    await connection.nextText((text) => text.includes('"joined"'));
  },
  send: (id, roomId) => JSON.stringify({ send: { roomId, body }, id }),
  acknowledged: (text) => JSON.parse(text).sent,
};
