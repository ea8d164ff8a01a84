// The endpoints for operators: /health, /ready and /ready/database. They answer from memory.

import type { ServerResponse } from 'node:http';
import type { DatabaseState } from '../storage/health.ts';
import { answerJson } from './answer.ts';

/** What `/ready` shows. Its status is 200 if `ready`, and 503 otherwise; that of `/ready/database` follows `database`. */
export type Readiness = () => { readonly ready: boolean; readonly database: DatabaseState } & Record<string, unknown>;

export function answerHealth(response: ServerResponse): void {
  answerJson(response, 200, { status: 'ok' });
}

export function answerReadiness(response: ServerResponse, readiness: Readiness): void {
  const state = readiness();
  answerJson(response, state.ready ? 200 : 503, state);
}

export function answerDatabase(response: ServerResponse, readiness: Readiness): void {
  const { database } = readiness();
  answerJson(response, database === 'ok' ? 200 : 503, { database });
}
