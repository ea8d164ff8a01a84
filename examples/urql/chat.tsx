// A room with React and urql. Every message is shown once, in order, even if the connection breaks.

import { applyRoomEvent, errorCode, type RoomView, resumable } from 'gapless/client';
import { resumableExchange } from 'gapless/client/urql';
import { createClient as createSockets } from 'graphql-ws';
import { type FormEvent, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { cacheExchange, createClient, fetchExchange, gql, Provider, useMutation, useQuery, useSubscription } from 'urql';

// This example reads its settings from the address: ?server=…&token=…&room=…
const address = new URLSearchParams(location.search);
const server = address.get('server') ?? 'localhost:4000';
const authorization = `Bearer ${address.get('token')}`;

const sockets = createSockets({
  url: `ws://${server}/graphql`,
  connectionParams: { authorization },
  retryAttempts: 0,
  keepAlive: 10_000,
});
const client = createClient({
  url: `http://${server}/graphql`,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization } },
  exchanges: [cacheExchange, fetchExchange, resumableExchange(resumable(sockets))],
});

interface Message {
  readonly id: string;
  readonly number: number;
  readonly body: string | null;
  readonly sender: { readonly name: string } | null;
}
type View = RoomView<{ name: string }, Message, never>;

const OPEN = gql`
  query Open($id: ID!) {
    room(id: $id) { id name messages(last: 50) { syncCursor nodes { id number body sender { name } } } }
  }
`;
const WATCH = gql`
  subscription Watch($roomId: ID!, $after: String) {
    roomEvents(roomId: $roomId, after: $after) {
      __typename
      cursor
      ... on MessageAdded { message { id number body sender { name } } }
      ... on MessageEdited { message { id number body sender { name } } }
      ... on MessageDeleted { message { id number body sender { name } } }
      ... on HistoryTrimmed { throughNumber }
    }
  }
`;
const SEND = gql`
  mutation Send($input: SendMessageInput!) {
    sendMessage(input: $input) { message { id } }
  }
`;

function Opening({ id }: { id: string }) {
  const [{ data, error }] = useQuery({ query: OPEN, variables: { id } });
  // The first page is kept. urql loads the query again after each mutation: a later page is ahead of what this view has
  // applied, and a failure has no page.
  const [page, setPage] = useState<View>();
  if (page) return <Room id={id} page={page} />;
  if (!data?.room) return <p>{error?.message ?? 'Loading…'}</p>;
  const { name, messages } = data.room;
  setPage({ room: { name }, deleted: false, messages: messages.nodes, members: [], cursor: messages.syncCursor });
  return null;
}

function Room({ id, page }: { id: string; page: View }) {
  const [{ data: view = page, error }] = useSubscription(
    { query: WATCH, variables: { roomId: id, after: page.cursor } },
    (shown: View = page, { roomEvents }) => applyRoomEvent(shown, roomEvents),
  );
  return (
    <main>
      <h1>{view.room.name}</h1>
      {error && <p role="alert">{errorCode(error) === 'CURSOR_EXPIRED' ? 'Too much was missed: reload the page.' : error.message}</p>}
      <ol>
        {view.messages.map(({ id: key, sender, body }) => (
          <li key={key}>
            <b>{sender?.name}</b> {body}
          </li>
        ))}
      </ol>
      <Composer roomId={id} />
    </main>
  );
}

function Composer({ roomId }: { roomId: string }) {
  const [, send] = useMutation(SEND);
  // The key of the message that is being written. A retry with this key finds the first message. Changed text gets a new key.
  const [clientMessageId, setKey] = useState(() => crypto.randomUUID());
  const [failure, setFailure] = useState('');
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const { error } = await send({ input: { roomId, clientMessageId, body: String(new FormData(form).get('body')) } });
    setFailure(error ? `Not sent (${errorCode(error) ?? 'no connection'}): try again.` : '');
    if (error) return;
    form.reset();
    setKey(crypto.randomUUID());
  };
  return (
    <form onSubmit={submit}>
      <input name="body" aria-label="Message" autoComplete="off" required onInput={() => setKey(crypto.randomUUID())} />
      <button type="submit">Send</button>
      <p role="status">{failure}</p>
    </form>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(
  <Provider value={client}>
    <Opening id={address.get('room') ?? ''} />
  </Provider>,
);
