// Something that is done at the press of a button: whether it is under way, and in plain words why it failed.

import { errorCode } from 'gapless/client';
import { useState } from 'react';
import { useWords } from '../language.ts';
import type { Words } from '../words.ts';

export function useAction() {
  const words = useWords();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  /** Whether it was done. */
  const run = async (task: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setProblem(undefined);
    try {
      await task();
      return true;
    } catch (error) {
      setProblem(problemOf(error, words));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { run, busy, problem };
}

export const problemOfCode = (code: string, { errors }: Words): string =>
  code in errors ? errors[code as keyof typeof errors] : errors.other;

/** A request that is at fault is described best by who refused it. */
function problemOf(error: unknown, words: Words): string {
  const code = errorCode(error);
  if (code === undefined) return words.errors.network;
  const said = (error as { graphQLErrors?: { message: string }[] }).graphQLErrors?.[0]?.message;
  return code === 'BAD_USER_INPUT' && said ? said : problemOfCode(code, words);
}
