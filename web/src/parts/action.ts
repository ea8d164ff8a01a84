// The state of an action that a button starts: whether it is running, and the message of its failure.

import { errorCode, retryAfterMs } from 'gapless/client';
import { useState } from 'react';
import { useLanguage, useWords } from '../language.ts';
import { inTime } from '../times.ts';
import type { Language, Words } from '../words.ts';

export function useAction() {
  const words = useWords();
  const language = useLanguage();
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
      setProblem(problemOf(error, words, language));
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
function problemOf(error: unknown, words: Words, language: Language): string {
  const code = errorCode(error);
  if (code === undefined) return words.errors.network;
  if (code === 'RATE_LIMITED') return words.tooOften(inTime(retryAfterMs(error) ?? 0, language));
  const message = (error as { graphQLErrors?: { message: string }[] }).graphQLErrors?.[0]?.message;
  return code === 'BAD_USER_INPUT' && message ? message : problemOfCode(code, words);
}
