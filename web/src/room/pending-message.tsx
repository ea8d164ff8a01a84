// A message that is being sent, or that was refused. The viewer can retry, edit or remove a refused one.

import { useLanguage, useWords } from '../language.ts';
import type { Unsent } from '../outbox.ts';
import { problemOfCode } from '../parts/action.ts';
import { Text } from '../parts/text.tsx';
import { useChat } from '../session/signed-in.ts';
import { timeOf } from '../times.ts';
import { draftOf } from './draft.ts';

export function PendingMessage({ unsent, continues }: { unsent: Unsent; continues: boolean }) {
  const words = useWords();
  const language = useLanguage();
  const { outbox, viewer } = useChat();
  const { body, roomId, refusal, slowed, number, at } = unsent;
  const edit = () => {
    const draft = draftOf(viewer.id, roomId);
    draft.set(draft.value.trim() === '' ? body : `${body}\n${draft.value}`);
    outbox.remove(unsent);
  };
  const buttons = [
    { label: words.tryAgain, act: () => outbox.retry(unsent) },
    { label: words.edit, act: edit },
    { label: words.remove, act: () => outbox.remove(unsent) },
  ];
  return (
    <article
      className="message"
      data-own
      data-continues={continues}
      data-pending={number === undefined}
      data-number={number}
      aria-label={words.saidBy(viewer.name, body)}
    >
      <div className="message-line">
        <p className="bubble" dir="auto" data-refused={refusal !== undefined}>
          <Text>{body}</Text>
          {refusal === undefined ? (
            <span className="message-meta">
              {number === undefined ? (
                <span>{slowed ? words.sendingSoon : words.sending}</span>
              ) : (
                <time>{timeOf(new Date(at).toISOString(), language)}</time>
              )}
            </span>
          ) : null}
        </p>
      </div>
      {refusal === undefined ? null : (
        <p className="refusal">
          <span role="alert">
            {words.notSent} {problemOfCode(refusal, words)}
          </span>
          {buttons.map(({ label, act }) => (
            <button key={label} type="button" className="text-button" onClick={act}>
              {label}
            </button>
          ))}
        </p>
      )}
    </article>
  );
}
