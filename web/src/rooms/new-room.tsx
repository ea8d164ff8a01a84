// The dialog that creates a room and opens it.

import { type FormEvent, useState } from 'react';
import { CreateRoomDocument, type RoomKind } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Problem } from '../parts/problem.tsx';
import { openRoomAt } from '../route.ts';
import { useChat } from '../session/signed-in.ts';

export function NewRoom({ onClose }: { onClose: () => void }) {
  const words = useWords();
  const { api } = useChat();
  const [name, setName] = useState('');
  const [kind, setKind] = useState<RoomKind>('OPEN');
  const { run, busy, problem } = useAction();
  const create = async () => {
    const { createRoom } = await api.mutate(CreateRoomDocument, { input: { name: name.trim(), kind } });
    onClose();
    if (createRoom) openRoomAt(createRoom.room.id);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== '') void run(create);
  };
  const kinds = [
    { value: 'OPEN', label: words.open, hint: words.openHint },
    { value: 'PRIVATE', label: words.private, hint: words.privateHint },
  ] as const;
  return (
    <Dialog title={words.newRoom} onClose={onClose}>
      <form onSubmit={submit}>
        <label className="field">
          <span>{words.name}</span>
          <input data-first required maxLength={100} value={name} onChange={({ target }) => setName(target.value)} />
        </label>
        <fieldset className="choices">
          <legend>{words.kind}</legend>
          {kinds.map(({ value, label, hint }) => (
            <label key={value} className="choice">
              <input type="radio" name="kind" checked={kind === value} onChange={() => setKind(value)} />
              <span>
                {label}
                <span className="quiet small">{hint}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <Problem>{problem}</Problem>
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            {words.cancel}
          </button>
          <button type="submit" className="button primary" disabled={busy}>
            {words.create}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
