// The state of an action that a button starts: whether it is running, and the message of its failure.

import { errorCode } from 'gapless/client';
import { useState } from 'react';
import { useWords } from '../language.ts';
import type { Words } from '../words.ts';

export function useAction() {
  const words = useWords();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  /** Returns whether the task succeeded. */
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

/** For invalid input, the message of the server is the most precise. */
function problemOf(error: unknown, words: Words): string {
  const code = errorCode(error);
  if (code === undefined) return words.errors.network;
  const message = (error as { graphQLErrors?: { message: string }[] }).graphQLErrors?.[0]?.message;
  return code === 'BAD_USER_INPUT' && message ? message : problemOfCode(code, words);
}
