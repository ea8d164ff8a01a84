// The account dialog: name and id of the viewer, language, and sign-out.

import { useState } from 'react';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Dialog } from '../parts/dialog.tsx';
import { LanguageChoice } from '../parts/language-choice.tsx';
import { Problem } from '../parts/problem.tsx';
import { Notifications } from '../rooms/notifications.tsx';
import { useStore } from '../store.ts';
import { Leave } from './leave.tsx';
import type { Session } from './session.ts';
import { useChat } from './signed-in.ts';

export function Account({ session, onClose }: { session: Session; onClose: () => void }) {
  const words = useWords();
  const { viewer, outbox } = useChat();
  const unsent = useStore(outbox.unsent).filter(({ number }) => number === undefined).length;
  const [copied, setCopied] = useState(false);
  const { run, busy, problem } = useAction();
  const [leaving, setLeaving] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(viewer.id);
    setCopied(true);
  };
  if (leaving) return <Leave session={session} onClose={() => setLeaving(false)} />;
  const signOut = () => (session.identity === 'guest' ? setLeaving(true) : void run(() => session.signOut()));
  return (
    <Dialog title={words.account} onClose={onClose}>
      <p className="account-name">{viewer.name}</p>
      <div className="field">
        <label htmlFor="account-id">{words.yourId}</label>
        <div className="row">
          <input id="account-id" readOnly value={viewer.id} aria-describedby="account-id-hint" onFocus={({ target }) => target.select()} />
          <button type="button" className="button" onClick={() => void copy().catch(() => {})}>
            {copied ? words.copied : words.copy}
          </button>
        </div>
        <p id="account-id-hint" className="quiet small">
          {words.yourIdHint}
        </p>
      </div>
      <LanguageChoice />
      <Notifications />
      <Problem>{problem}</Problem>
      <div className="dialog-actions">
        {unsent > 0 ? <p className="quiet small">{words.unsentWarning(unsent)}</p> : null}
        <button type="button" className="button" disabled={busy} onClick={signOut}>
          {words.signOut}
        </button>
      </div>
    </Dialog>
  );
}
