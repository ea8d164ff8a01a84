// Runs an operation, whichever door it came in by. Every execution, that of each event too, has a context of its own.

import { execute } from '@graphql-tools/executor';
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  validateExecutionArgs,
  validateSubscriptionArgs,
} from 'graphql';
import type { Feed } from '../feed/feed.ts';
import type { Context } from './context.ts';
import { costErrors } from './cost.ts';
import { maskErrors } from './error-code.ts';
import { Subscription } from './subscription.ts';

/** Executes a query or mutation. */
export async function executeOperation(args: ExecutionArgs): Promise<ExecutionResult> {
  const { log } = args.contextValue as Context;
  const valid = validateExecutionArgs(args);
  const errors = 'schema' in valid ? costErrors(valid) : valid;
  return maskErrors(errors.length > 0 ? { errors } : ((await execute(args)) as ExecutionResult), log);
}

/** Begins a subscription. */
export async function subscribeOperation(args: ExecutionArgs): Promise<Subscription | ExecutionResult> {
  const { log } = args.contextValue as Context;
  const valid = validateSubscriptionArgs(args);
  const errors = 'schema' in valid ? costErrors(valid) : valid;
  if (!('schema' in valid) || errors.length > 0) return maskErrors({ errors }, log);
  const source = await createSourceEventStream(valid);
  return Symbol.asyncIterator in source ? new Subscription(valid, source as Feed) : maskErrors(source, log);
}
