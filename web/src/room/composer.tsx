// Writes new messages: each goes into the outbox, which gets it sent.

import { useWords } from '../language.ts';
import { Icon } from '../parts/icon.tsx';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';
import { draftOf } from './draft.ts';
import { MessageField } from './message-field.tsx';

interface Props {
  roomId: string;
  title: string;
  /** Whether it has the focus at first; where there is a keyboard, it has anyway. */
  focus: boolean;
  onEditLast: () => void;
}

const hasKeyboard = matchMedia('(hover: hover) and (pointer: fine)');

export function Composer({ roomId, title, focus, onEditLast }: Props) {
  const words = useWords();
  const { outbox, viewer } = useChat();
  const draft = draftOf(viewer.id, roomId);
  const value = useStore(draft);
  return (
    <MessageField
      value={value}
      placeholder={words.messageTo(title)}
      focus={focus || hasKeyboard.matches}
      onChange={(text) => draft.set(text)}
      onSubmit={(body) => {
        outbox.add(roomId, body);
        draft.set('');
      }}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowUp' || value !== '') return;
        event.preventDefault();
        onEditLast();
      }}
      submit={
        <button type="submit" className="icon-button primary" aria-label={words.send} title={words.send}>
          <Icon name="send" />
        </button>
      }
    />
  );
}
