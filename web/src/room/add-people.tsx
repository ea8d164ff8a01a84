// The dialog that adds people to a room: people whom this page has seen, or anyone by id.

import { type FormEvent, useState } from 'react';
import { AddMemberDocument, type MemberFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Problem } from '../parts/problem.tsx';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';

interface Props {
  roomId: string;
  members: readonly MemberFragment[];
  onClose: () => void;
}

/** Maximum number of people listed. A search finds the others. */
const maxShown = 30;

export function AddPeople({ roomId, members, onClose }: Props) {
  const words = useWords();
  const { api, people, viewer } = useChat();
  const known = useStore(people.known);
  const [search, setSearch] = useState('');
  const [userId, setUserId] = useState('');
  const { run, busy, problem } = useAction();
  const present = new Set(members.map(({ user }) => user.id));
  const found = [...known.values()]
    .filter(({ id, name }) => id !== viewer.id && !present.has(id) && name.toLocaleLowerCase().includes(search.trim().toLocaleLowerCase()))
    .reverse()
    .slice(0, maxShown);
  const add = (id: string) => run(() => api.mutate(AddMemberDocument, { roomId, userId: id }));
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (userId.trim() !== '' && (await add(userId.trim()))) setUserId('');
  };
  return (
    <Dialog title={words.addPeople} onClose={onClose}>
      <p className="quiet small">{words.addPeopleHint}</p>
      <label className="field">
        <span>{words.findPeople}</span>
        <input data-first type="search" value={search} onChange={({ target }) => setSearch(target.value)} />
      </label>
      <ul className="people found">
        {found.map((person) => (
          <li key={person.id} className="person">
            <Avatar {...person} />
            <span className="person-name">{person.name}</span>
            <button
              type="button"
              className="button"
              disabled={busy}
              aria-label={words.addPerson(person.name)}
              onClick={() => void add(person.id)}
            >
              {words.add}
            </button>
          </li>
        ))}
      </ul>
      {found.length === 0 ? <p className="quiet small">{words.nobodyKnown}</p> : null}
      <form onSubmit={(event) => void submit(event)}>
        <div className="field">
          <label htmlFor="add-by-id">{words.userId}</label>
          <div className="row">
            <input
              id="add-by-id"
              autoComplete="off"
              spellCheck={false}
              placeholder="user_…"
              aria-describedby="add-by-id-hint"
              value={userId}
              onChange={({ target }) => setUserId(target.value)}
            />
            <button type="submit" className="button" disabled={busy || userId.trim() === ''}>
              {words.add}
            </button>
          </div>
          <p id="add-by-id-hint" className="quiet small">
            {words.userIdHint}
          </p>
        </div>
      </form>
      <Problem>{problem}</Problem>
    </Dialog>
  );
}
