// The account dialog: name and id of the viewer, language, and sign-out.

import { useState } from 'react';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { CopyField } from '../parts/copy-field.tsx';
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
  const { run, busy, problem } = useAction();
  const [leaving, setLeaving] = useState(false);
  if (leaving) return <Leave session={session} onClose={() => setLeaving(false)} />;
  const signOut = () => (session.identity === 'guest' ? setLeaving(true) : void run(() => session.signOut()));
  return (
    <Dialog title={words.account} onClose={onClose}>
      <p className="account-name">{viewer.name}</p>
      <CopyField label={words.yourId} hint={words.yourIdHint} text={viewer.id} />
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
