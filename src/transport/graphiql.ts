// The options of GraphiQL: tabs that can be run in order. GraphiQL stores the tabs in the browser, so a second window shows what
// was typed into the first. Its requests have a session of their own: who signs in here stays somebody else in the chat.

import type { GraphiQLOptions } from 'graphql-yoga';

const signIn = `# 1. Sign in: a cookie keeps the token,
#    so the other tabs are signed in too.
#    The chat has a session of its own.
mutation SignIn {
  signIn(input: { name: "Ada" }) {
    viewer { id user { name } }
  }
}`;

const createRoom = `# 2. Create a room, and copy its id
#    into the variables of tabs 3 and 4.
mutation CreateRoom {
  createRoom(input: { name: "Hello" }) {
    room { id name }
  }
}`;

const watch = `# 3. Watch it: put the id of your room
#    in the variables below, run,
#    and leave this window open. Run it
#    again with the cursor of an event as
#    after: you receive what came next.
subscription Watch($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) {
    __typename
    cursor
    at
    ... on MessageAdded { message { number kind body sender { name } } }
    ... on MemberJoined { user { name } }
  }
}`;

const send = `# 4. Open this page in a second window
#    (GraphiQL stops watching when a tab
#    is left), send from here, and see it
#    arrive in the first.
mutation Send($roomId: ID!) {
  sendMessage(input: { roomId: $roomId, body: "Hello, everyone" }) {
    message { id number body createdAt }
  }
}`;

const roomId = 'room_…';
const variablesOf = (variables: Record<string, unknown>) => JSON.stringify(variables, null, 2);

export const graphiqlOptions: GraphiQLOptions = {
  title: 'Gapless',
  subscriptionsProtocol: 'WS',
  credentials: 'same-origin',
  endpoint: '?session=graphiql',
  defaultTabs: [
    { query: signIn },
    { query: createRoom },
    { query: watch, variables: variablesOf({ roomId, after: null }) },
    { query: send, variables: variablesOf({ roomId }) },
  ],
};
