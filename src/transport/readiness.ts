// What the server says of itself to those who run it: /health and /ready.

import type { ServerResponse } from 'node:http';
import { answerJson } from './answer.ts';

/** The state that `/ready` shows. Its status is 200 if `ready`, otherwise 503. */
export type Readiness = () => Promise<{ ready: boolean } & Record<string, unknown>>;

/** The process answers. */
export function answerHealth(response: ServerResponse): void {
  answerJson(response, 200, { status: 'ok' });
}

/** Whether this node should be sent traffic. */
export async function answerReadiness(response: ServerResponse, readiness: Readiness): Promise<void> {
  const state = await readiness();
  answerJson(response, state.ready ? 200 : 503, state);
}
