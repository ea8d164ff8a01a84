// A text that the viewer can copy. Where the browser has no clipboard, such as on http with another host than localhost, the
// button selects the text: it never says that something was copied that was not.

import { useId, useRef, useState } from 'react';
import { useWords } from '../language.ts';

export function CopyField({ label, hint, text }: { label: string; hint: string; text: string }) {
  const words = useWords();
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    // Focus selects the text.
    field.current?.focus();
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="row">
        <input id={id} ref={field} readOnly value={text} aria-describedby={`${id}-hint`} onFocus={({ target }) => target.select()} />
        <button type="button" className="button" onClick={() => void copy().catch(() => {})}>
          {copied ? words.copied : words.copy}
        </button>
      </div>
      <p id={`${id}-hint`} className="quiet small">
        {hint}
      </p>
    </div>
  );
}
