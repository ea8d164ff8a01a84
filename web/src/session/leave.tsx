// Asks before a guest signs out, and offers a link with which they can come back: a guest has no password.

import { useEffect, useState } from 'react';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Problem } from '../parts/problem.tsx';
import type { Session } from './session.ts';
import { useChat } from './signed-in.ts';

export function Leave({ session, onClose }: { session: Session; onClose: () => void }) {
  const words = useWords();
  const { viewer } = useChat();
  const [link, setLink] = useState<string>();
  const [copied, setCopied] = useState(false);
  const { run, busy, problem } = useAction();
  useEffect(() => {
    // Without a link, the warning still holds.
    session.createRecoveryLink().then(setLink, () => {});
  }, [session]);
  const copy = async () => {
    await navigator.clipboard?.writeText(link ?? '');
    setCopied(true);
  };
  return (
    <Dialog title={words.signOut} onClose={onClose}>
      <p>{words.confirmSignOut(viewer.name)}</p>
      {link === undefined ? null : (
        <div className="field">
          <label htmlFor="recovery-link">{words.recoveryLink}</label>
          <div className="row">
            <input id="recovery-link" readOnly value={link} aria-describedby="recovery-hint" onFocus={({ target }) => target.select()} />
            <button type="button" className="button" onClick={() => void copy().catch(() => {})}>
              {copied ? words.copied : words.copy}
            </button>
          </div>
          <p id="recovery-hint" className="quiet small">
            {words.recoveryHint(viewer.name)}
          </p>
        </div>
      )}
      <Problem>{problem}</Problem>
      <div className="dialog-actions">
        <button type="button" data-first className="button" onClick={onClose}>
          {words.cancel}
        </button>
        <button type="button" className="button danger" disabled={busy} onClick={() => void run(() => session.signOut())}>
          {words.signOut}
        </button>
      </div>
    </Dialog>
  );
}
