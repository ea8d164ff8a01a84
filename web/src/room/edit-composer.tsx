// Edits a message. Saving retries until the server answers. Escape cancels.

import { useEffect, useRef, useState } from 'react';
import { EditMessageDocument, type ShownMessageFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Problem } from '../parts/problem.tsx';
import { untilAnswered } from '../retry.ts';
import { useChat } from '../session/signed-in.ts';
import { MessageField } from './message-field.tsx';

export function EditComposer({ message, onDone }: { message: ShownMessageFragment; onDone: () => void }) {
  const words = useWords();
  const { api } = useChat();
  const [value, setValue] = useState(message.body ?? '');
  const { run, busy, problem } = useAction();
  const [failing, setFailing] = useState(false);
  const stop = useRef(new AbortController());
  useEffect(() => {
    const gone = new AbortController();
    stop.current = gone;
    return () => gone.abort();
  }, []);
  const save = async (body: string) => {
    const edit = () => api.mutate(EditMessageDocument, { messageId: message.id, body });
    const saved =
      body === message.body || (await run(() => untilAnswered(edit, { signal: stop.current.signal, onFailure: () => setFailing(true) })));
    if (saved) onDone();
    else setFailing(false);
  };
  return (
    <div className="editing">
      <div className="editing-head">
        <span>{words.editing}</span>
        <button type="button" className="text-button" onClick={onDone}>
          {words.cancel}
        </button>
      </div>
      <Problem>{failing ? words.failing : problem}</Problem>
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
