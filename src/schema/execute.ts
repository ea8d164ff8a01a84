// Executes operations, for every transport.

import { execute } from '@graphql-tools/executor';
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  type ValidatedExecutionArgs,
  validateExecutionArgs,
  validateSubscriptionArgs,
} from 'graphql';
import { Feed } from '../feed/feed.ts';
import type { Context } from './context.ts';
import { costErrors } from './cost.ts';
import { maskErrors, requestErrors } from './error-code.ts';
import { Subscription } from './subscription.ts';
import { nullVariableErrors } from './variables.ts';

/** Executes a query or mutation. */
export async function executeOperation(args: ExecutionArgs): Promise<ExecutionResult> {
  const { log } = args.contextValue as Context;
  const valid = validateExecutionArgs(args);
  const errors = 'schema' in valid ? requestFaults(valid) : valid;
  if (errors.length > 0) return { errors: requestErrors(errors) };
  return maskErrors((await execute(args)) as ExecutionResult, log);
}

/** Opens a subscription. */
export async function subscribeOperation(args: ExecutionArgs): Promise<Subscription | ExecutionResult> {
  const { log } = args.contextValue as Context;
  const valid = validateSubscriptionArgs(args);
  const errors = 'schema' in valid ? requestFaults(valid) : valid;
  if (!('schema' in valid) || errors.length > 0) return { errors: requestErrors(errors) };
  const source: unknown = await createSourceEventStream(valid);
  if (!(source instanceof Feed)) return maskErrors(source as ExecutionResult, log);
  try {
    return new Subscription(valid, source);
  } catch (error) {
    source.stop();
    throw error;
  }
}

/** Faults of the request that validation does not find. */
const requestFaults = (valid: ValidatedExecutionArgs) => [...nullVariableErrors(valid), ...costErrors(valid)];
