// Changes what a message says. Escape leaves it as it is.

import { useState } from 'react';
import { EditMessageDocument, type ShownMessageFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Problem } from '../parts/problem.tsx';
import { useChat } from '../session/signed-in.ts';
import { MessageField } from './message-field.tsx';

export function EditComposer({ message, onDone }: { message: ShownMessageFragment; onDone: () => void }) {
  const words = useWords();
  const { api } = useChat();
  const [value, setValue] = useState(message.body ?? '');
  const { run, busy, problem } = useAction();
  const save = async (body: string) => {
    if (body === message.body || (await run(() => api.mutate(EditMessageDocument, { messageId: message.id, body })))) onDone();
  };
  return (
    <div className="editing">
      <div className="editing-head">
        <span>{words.editing}</span>
        <button type="button" className="text-button" onClick={onDone}>
          {words.cancel}
        </button>
      </div>
      <Problem>{problem}</Problem>
      <MessageField
        value={value}
        placeholder=""
        focus
        busy={busy}
        onChange={setValue}
        onSubmit={(body) => void save(body)}
        onKeyDown={(event) => event.key === 'Escape' && onDone()}
        submit={
          <button type="submit" className="button primary" disabled={busy}>
            {words.save}
          </button>
        }
      />
    </div>
  );
}
