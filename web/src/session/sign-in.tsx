// The sign-in page: with a name, or with a token of the host application.

import { type FormEvent, useState } from 'react';
import { useWords } from '../language.ts';
import { useAction } from '../parts/action.ts';
import { LanguageChoice } from '../parts/language-choice.tsx';
import { Problem } from '../parts/problem.tsx';
import type { End, Session } from './session.ts';

export function SignIn({ session, ended }: { session: Session; ended: End | undefined }) {
  const words = useWords();
  const [text, setText] = useState('');
  const { run, busy, problem } = useAction();
  const guest = session.identity === 'guest';
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === '') return;
    if (guest) void run(() => session.signInAsGuest(text.trim()));
    else session.signInWithToken(text);
  };
  return (
    <main className="sign-in">
      <form className="sign-in-card" onSubmit={submit}>
        <h1>Gapless</h1>
        <p className="quiet">{words.tagline}</p>
        {ended !== undefined ? (
          <p className="problem" role="alert">
            {words.ended[session.identity][ended]}
          </p>
        ) : null}
        <label className="field">
          <span>{guest ? words.yourName : words.token}</span>
          <input
            // biome-ignore lint/a11y/noAutofocus: it is the only field of the page
            autoFocus
            required
            autoComplete={guest ? 'nickname' : 'off'}
            spellCheck={false}
            maxLength={guest ? 80 : undefined}
            aria-describedby="sign-in-hint"
            value={text}
            onChange={({ target }) => setText(target.value)}
          />
        </label>
        <p id="sign-in-hint" className="quiet small">
          {guest ? words.nameHint : words.tokenHint}
        </p>
        <Problem>{problem}</Problem>
        <button type="submit" className="button primary" disabled={busy}>
          {words.signIn}
        </button>
      </form>
      <div className="sign-in-language">
        <LanguageChoice />
      </div>
      <a className="developers" href="graphql">
        {words.developers}
      </a>
    </main>
  );
}
