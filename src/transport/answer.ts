// Answers that are JSON: state for operators, and the refusal of a request.

import type { ServerResponse } from 'node:http';
import type { Log } from '../log.ts';
import { toClientError } from '../schema/error-code.ts';
import { retryHeaders, statusOf } from './refusal.ts';

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(JSON.stringify(body));
}

/** Answers with the error and its status. If an answer has begun already, the connection is destroyed instead. */
export function refuse(response: ServerResponse, error: unknown, log: Log): void {
  // The client has disconnected, which may itself have caused the error.
  if (response.destroyed) return;
  const clientError = toClientError(error, log);
  if (response.headersSent) return void response.destroy();
  const status = statusOf(error, clientError);
  for (const [name, value] of Object.entries(retryHeaders(clientError))) response.setHeader(name, value);
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  // The rest of a body that was too large is not read.
  if (status === 413) response.setHeader('connection', 'close');
  answerJson(response, status, { errors: [clientError] });
}
