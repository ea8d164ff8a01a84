// The text field of a message. Enter submits, Shift+Enter starts a new line.

import { type FormEvent, type KeyboardEvent, type ReactNode, useEffect, useRef } from 'react';
import { useWords } from '../language.ts';

/** Limit of the API, in code points. */
const maxLength = 4000;
const maxRows = 8;

interface Props {
  value: string;
  placeholder: string;
  /** Whether it takes the focus when it appears. */
  focus: boolean;
  busy?: boolean;
  submit: ReactNode;
  onChange: (value: string) => void;
  onSubmit: (value: string) => void;
  onKeyDown: (event: KeyboardEvent<HTMLTextAreaElement>) => void;
}

export function MessageField({ value, placeholder, focus, busy = false, submit, onChange, onSubmit, onKeyDown }: Props) {
  const words = useWords();
  const field = useRef<HTMLTextAreaElement>(null);
  const focusFirst = useRef(focus);
  useEffect(() => {
    const { current } = field;
    if (!focusFirst.current || !current) return;
    current.focus();
    current.setSelectionRange(current.value.length, current.value.length);
  }, []);
  const over = value.length > maxLength ? [...value].length - maxLength : 0;
  const sendable = value.trim() !== '' && over <= 0 && !busy;
  const send = () => sendable && onSubmit(value.trim());
  const onKey = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // During composition (Hangul, for example), Enter ends a syllable. Safari reports it by key code 229 only.
    if (event.nativeEvent.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      send();
    } else onKeyDown(event);
  };
  return (
    <form
      className="message-field"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        send();
        field.current?.focus();
      }}
    >
      <textarea
        ref={field}
        dir="auto"
        aria-label={words.message}
        aria-invalid={over > 0}
        placeholder={placeholder}
        enterKeyHint="send"
        rows={Math.min(maxRows, value.split('\n').length)}
        value={value}
        onChange={({ target }) => onChange(target.value)}
        onKeyDown={onKey}
      />
      {over > 0 ? <span className="too-long">{words.tooLong(over)}</span> : null}
      {submit}
    </form>
  );
}
