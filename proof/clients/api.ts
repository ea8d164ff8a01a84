// The part of the public API over HTTP that the proof uses. A missing answer is an error of its own class, Unanswered, because
// the request may have been executed.

import { setTimeout as sleep } from 'node:timers/promises';
import type { GraphQLFormattedError } from 'graphql';

/** Twice the time within which the server promises an answer. */
export const answerTimeoutMs = 10_000;

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: by the operation
  readonly data?: any;
  readonly errors?: readonly GraphQLFormattedError[] | undefined;
}

/** There was no answer of a GraphQL server: the request may have been executed. The message gives the reason in a few words. */
export class Unanswered extends Error {}

export interface Account {
  readonly userId: string;
  readonly token: string;
}

/** Sends one operation. Throws Unanswered. */
export async function request(
  url: string,
  token: string | undefined,
  query: string,
  variables: Record<string, unknown> = {},
  timeoutMs = answerTimeoutMs,
): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    const answer = readAnswer(text);
    if (answer) return answer;
    throw new Unanswered(`HTTP ${response.status}`);
  } catch (error) {
    throw error instanceof Unanswered ? error : new Unanswered(reasonOf(error), { cause: error });
  }
}

/** The data of an answer. Retries through the next node; throws if the request is refused finally. */
export async function must(
  urls: readonly string[],
  token: string | undefined,
  query: string,
  variables: Record<string, unknown> = {},
  // biome-ignore lint/suspicious/noExplicitAny: by the operation
): Promise<any> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const { data, errors } = await request(urls[attempt % urls.length] as string, token, query, variables);
      if (!errors) return data;
      if (!isPassing(codeOf(errors)) || attempt === maxAttempts) throw new Error(`The server answered ${JSON.stringify(errors)}.`);
    } catch (error) {
      if (!(error instanceof Unanswered) || attempt === maxAttempts) throw error;
    }
    await sleep(100 + Math.random() * 900);
  }
}
const maxAttempts = 30;

export async function signIn(urls: readonly string[], name: string): Promise<Account> {
  const { signIn: signed } = await must(urls, undefined, signInMutation, { name });
  return { token: signed.token, userId: signed.viewer.user.id };
}

/** The code of the first error. */
export const codeOf = (errors: readonly GraphQLFormattedError[]): string => String(errors[0]?.extensions?.['code'] ?? 'INTERNAL');

/** Zero if the server named no time. */
export const retryAfterMsOf = (errors: readonly GraphQLFormattedError[]): number => Number(errors[0]?.extensions?.['retryAfterMs'] ?? 0);

/** Whether to retry. INTERNAL is a bug, and the request may have been executed. */
export const isPassing = (code: string): boolean => code === 'UNAVAILABLE' || code === 'INTERNAL' || code === 'RATE_LIMITED';

/** Why there was no answer, in a few words that are the same for the same cause. */
export function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error & { cause?: { code?: string } };
  if (name === 'TimeoutError') return 'no answer in time';
  return cause?.code ?? (error as { code?: string }).code ?? message;
}

function readAnswer(text: string): Answer | undefined {
  try {
    const answer = JSON.parse(text) as Answer;
    return answer.data != null || Array.isArray(answer.errors) ? answer : undefined;
  } catch {
    return undefined;
  }
}

const signInMutation = 'mutation ($name: String!) { signIn(input: { name: $name }) { token viewer { user { id } } } }';
