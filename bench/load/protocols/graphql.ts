// GraphQL over graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md), and over HTTP.

import { body, type HttpProtocol, type Protocol } from '../protocol.ts';

/** How a schema has its messages sent. */
export interface Dialect {
  readonly sendMutation: string;
  sendVariables(room: string): object;
}

/** What is asked of every message, of every contender. */
export const selection = 'id body createdAt sender { id name }';

/** That of the contenders of which nothing more is asked than to send. */
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
  async greet(connection, ticket) {
    const payload = ticket === undefined ? {} : { authorization: `Bearer ${ticket}` };
    connection.send(JSON.stringify({ type: 'connection_init', payload }));
    await connection.nextText((text) => text.includes('"connection_ack"'));
  },
  // The protocol has no word for it: whoever wants to know sends something, and sees whether it arrives.
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
