// A room with React and Apollo Client. Every message is shown once, in order, even if the connection breaks.

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { ApolloProvider, useMutation, useQuery, useSubscription } from '@apollo/client/react';
import { applyRoomEvent, errorCode, type RoomView, resumable } from 'gapless/client';
import { resumableLink } from 'gapless/client/apollo';
import { createClient } from 'graphql-ws';
import { type FormEvent, useState } from 'react';
import { createRoot } from 'react-dom/client';

// This example reads its settings from the address: ?server=…&token=…&room=…
const address = new URLSearchParams(location.search);
const server = address.get('server') ?? 'localhost:4000';
const headers = { authorization: `Bearer ${address.get('token')}` };

const sockets = createClient({ url: `ws://${server}/graphql`, connectionParams: headers, retryAttempts: 0, keepAlive: 10_000 });
const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    resumableLink(resumable(sockets)),
    new HttpLink({ uri: `http://${server}/graphql`, headers }),
  ),
});

interface Message {
  readonly id: string;
  readonly number: number;
  readonly body: string | null;
  readonly sender: { readonly name: string } | null;
}
type View = RoomView<{ name: string }, Message, never>;
interface Opened {
  readonly room: { name: string; messages: { syncCursor: string; nodes: readonly Message[] } } | null;
}

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
  const { data, error } = useQuery<Opened>(OPEN, { variables: { id } });
  if (!data?.room) return <p>{error?.message ?? 'Loading…'}</p>;
  const { name, messages } = data.room;
  return <Room id={id} page={{ room: { name }, deleted: false, messages: messages.nodes, members: [], cursor: messages.syncCursor }} />;
}

function Room({ id, page }: { id: string; page: View }) {
  // The first page is kept: the syncCursor of a page that is loaded later is ahead of what this view has applied.
  const [opened] = useState(page);
  const [view, setView] = useState(opened);
  const [failure, setFailure] = useState('');
  useSubscription<{ roomEvents: Parameters<typeof applyRoomEvent<{ name: string }, Message, never>>[1] }>(WATCH, {
    variables: { roomId: id, after: opened.cursor },
    ignoreResults: true,
    onData: ({ data: { data } }) => data && setView((shown) => applyRoomEvent(shown, data.roomEvents)),
    onError: (failure) => setFailure(errorCode(failure) === 'CURSOR_EXPIRED' ? 'Too much was missed: reload the page.' : failure.message),
  });
  return (
    <main>
      <h1>{view.room.name}</h1>
      {failure && <p role="alert">{failure}</p>}
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
  const [send] = useMutation(SEND);
  // The key of the message that is being written. A retry with this key finds the first message. Changed text gets a new key.
  const [clientMessageId, setKey] = useState(() => crypto.randomUUID());
  const [failure, setFailure] = useState('');
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    try {
      await send({ variables: { input: { roomId, clientMessageId, body: String(new FormData(form).get('body')) } } });
      setFailure('');
      form.reset();
      setKey(crypto.randomUUID());
    } catch (error) {
      setFailure(`Not sent (${errorCode(error) ?? 'no connection'}): try again.`);
    }
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
  <ApolloProvider client={client}>
    <Opening id={address.get('room') ?? ''} />
  </ApolloProvider>,
);
