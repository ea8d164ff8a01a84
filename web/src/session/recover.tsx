// Shown when a recovery link was opened. It signs nobody in without being asked.

import type { PersonFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { Problem } from '../parts/problem.tsx';
import type { Session } from './session.ts';

interface Props {
  session: Session;
  viewer: PersonFragment | undefined;
  onConfirm: () => Promise<void>;
}

export function Recover({ session, viewer, onConfirm }: Props) {
  const words = useWords();
  const { run, busy, problem } = useAction();
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <h1>Gapless</h1>
        <p>{viewer ? words.recover(viewer.name) : words.recoverRefused}</p>
        <Problem>{problem}</Problem>
        {viewer ? (
          <button type="button" className="button primary" disabled={busy} onClick={() => void run(onConfirm)}>
            {words.continueAs(viewer.name)}
          </button>
        ) : null}
        <button type="button" className="button" onClick={() => session.resume()}>
          {words.cancel}
        </button>
      </div>
    </main>
  );
}
