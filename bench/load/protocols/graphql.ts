// GraphQL over graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md), and over HTTP.

import { body, type HttpProtocol, type Protocol } from '../protocol.ts';

/** How messages are sent in a schema. */
export interface Dialect {
  readonly sendMutation: string;
  sendVariables(room: string): object;
}

/** The selection of a message, the same for all contenders. */
export const selection = 'id body createdAt sender { id name }';

/** The dialect of all contenders but Gapless. */
export const plainDialect: Dialect = {
  sendMutation: `mutation ($roomId: ID!, $body: String!) { sendMessage(roomId: $roomId, body: $body) { ${selection} } }`,
  sendVariables: (roomId) => ({ roomId, body }),
};

const path = '/graphql';
const subscription = `subscription ($roomId: ID!) { messageAdded(roomId: $roomId) { ${selection} } }`;
const resumption = `subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { ${selection} } }`;

export const graphqlOverWebSocket = ({ sendMutation, sendVariables }: Dialect): Protocol => ({
  path,
  subprotocol: 'graphql-transport-ws',
  async authenticate(connection, token) {
    const payload = token === undefined ? {} : { authorization: `Bearer ${token}` };
    connection.send(JSON.stringify({ type: 'connection_init', payload }));
    await connection.nextText((text) => text.includes('"connection_ack"'));
  },
  // The protocol does not acknowledge a subscription. A watcher knows it from the first message that arrives.
  async subscribe(connection, roomId, after) {
    const payload =
      after === undefined ? { query: subscription, variables: { roomId } } : { query: resumption, variables: { roomId, after } };
    connection.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
  },
  send: (id, room) =>
    JSON.stringify({ id: String(id), type: 'subscribe', payload: { query: sendMutation, variables: sendVariables(room) } }),
  acknowledged(text) {
    const { id, type, payload } = JSON.parse(text);
    if (type === 'error' || payload?.errors) throw new Error(`A send was refused: ${text}`);
    return type === 'next' ? Number(id) : undefined;
  },
});

export const graphqlOverHttp = ({ sendMutation, sendVariables }: Dialect): HttpProtocol => ({
  path,
  send: (room) => JSON.stringify({ query: sendMutation, variables: sendVariables(room) }),
  check(answer) {
    if (JSON.parse(answer).errors) throw new Error(`A send was refused: ${answer}`);
  },
});
