// Asks before a guest signs out, and offers a link with which they can come back: a guest has no password.

import { useEffect, useState } from 'react';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { CopyField } from '../parts/copy-field.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Problem } from '../parts/problem.tsx';
import type { Session } from './session.ts';
import { useChat } from './signed-in.ts';

export function Leave({ session, onClose }: { session: Session; onClose: () => void }) {
  const words = useWords();
  const { viewer } = useChat();
  const [link, setLink] = useState<string>();
  const { run, busy, problem } = useAction();
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    session.createRecoveryLink().then(setLink, () => setFailed(true));
  }, [session]);
  const asksForLink = link === undefined && !failed;
  return (
    <Dialog title={words.signOut} onClose={onClose}>
      <p>{words.confirmSignOut(viewer.name)}</p>
      {link ? <CopyField label={words.recoveryLink} hint={words.recoveryHint(viewer.name)} text={link} /> : null}
      <Problem>{failed ? words.noRecoveryLink : undefined}</Problem>
      <Problem>{problem}</Problem>
      <div className="dialog-actions">
        <button type="button" data-first className="button" onClick={onClose}>
          {words.cancel}
        </button>
        <button type="button" className="button danger" disabled={busy || asksForLink} onClick={() => void run(() => session.signOut())}>
          {words.signOut}
        </button>
      </div>
    </Dialog>
  );
}
