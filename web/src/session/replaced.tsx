// Shown in a tab whose viewer was replaced by a sign-in in another tab. Nothing is sent until the viewer decides.

import type { PersonFragment } from '../gql/graphql.ts';
import { useWords } from '../language.ts';
import { Outbox } from '../outbox.ts';
import type { Session } from './session.ts';

export function Replaced({ session, former, viewer }: { session: Session; former: PersonFragment; viewer: PersonFragment }) {
  const words = useWords();
  const unsent = Outbox.count(former.id);
  return (
    <main className="sign-in">
      <div className="sign-in-card" role="alert">
        <h1>{words.replaced(viewer.name)}</h1>
        <p>{words.replacedHint(former.name, viewer.name)}</p>
        {unsent > 0 ? <p className="quiet small">{words.replacedUnsent(unsent)}</p> : null}
        <button type="button" className="button primary" onClick={() => session.continueAsReplacement()}>
          {words.continueAs(viewer.name)}
        </button>
      </div>
    </main>
  );
}
