// Socket.IO (https://socket.io/docs/v4/socket-io-protocol/) over Engine.IO's WebSocket transport: events with acknowledgements.

import { body, type Protocol } from '../protocol.ts';

/** Socket.IO packets in messages of Engine.IO. */
const connectPacket = '40';
const eventPacket = '42';
const ackPacket = '43';
const joinId = 0;

export const socketIo: Protocol = {
  path: '/socket.io/?EIO=4&transport=websocket',
  async authenticate(connection) {
    connection.send(connectPacket);
    await connection.nextText((text) => text.startsWith(connectPacket));
  },
  async subscribe(connection, room) {
    connection.send(`${eventPacket}${joinId}${JSON.stringify(['join', room])}`);
    await connection.nextText((text) => text.startsWith(`${ackPacket}${joinId}`));
  },
  send: (id, roomId) => `${eventPacket}${id}${JSON.stringify(['send', { roomId, body }])}`,
  acknowledged: (text) => (text.startsWith(ackPacket) ? Number.parseInt(text.slice(ackPacket.length), 10) : undefined),
};
