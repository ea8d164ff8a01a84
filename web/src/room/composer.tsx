// The field for new messages. A submitted message goes into the outbox, which sends it.

import { useWords } from '../language.ts';
import { Icon } from '../parts/icon.tsx';
import { useChat } from '../session/signed-in.ts';
import { useStore } from '../store.ts';
import { draftOf } from './draft.ts';
import { MessageField } from './message-field.tsx';

interface Props {
  roomId: string;
  title: string;
  /** Whether it gets the focus first. On a device with a keyboard, it always does. */
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
