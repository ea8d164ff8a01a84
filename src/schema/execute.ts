// Executes operations, for every transport.

import { execute } from '@graphql-tools/executor';
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  OperationTypeNode,
  type ValidatedExecutionArgs,
  validateExecutionArgs,
  validateSubscriptionArgs,
} from 'graphql';
import { Account } from '../feed/account.ts';
import { Feed } from '../feed/feed.ts';
import { isTooLarge, tooLargeMessage } from './answer-size.ts';
import type { Context } from './context.ts';
import { costErrors } from './cost.ts';
import { maskErrors, requestErrors } from './error-code.ts';
import { type ResultSource, Subscription } from './subscription.ts';
import { nullVariableErrors, variableCountErrors, withDeclaredVariables } from './variables.ts';

/** Executes a query or mutation. */
export async function executeOperation(args: ExecutionArgs): Promise<ExecutionResult> {
  const { log } = args.contextValue as Context;
  const valid = validateArgs(args, validateExecutionArgs);
  const errors = 'schema' in valid ? requestFaults(valid) : valid;
  if (!('schema' in valid) || errors.length > 0) return { errors: requestErrors(errors) };
  const result = maskErrors((await execute(args)) as ExecutionResult, log);
  if (!isTooLarge(result)) return result;
  if (valid.operation.operation === OperationTypeNode.QUERY) return { errors: requestErrors([new GraphQLError(tooLargeMessage)]) };
  return { data: null, errors: requestErrors([new GraphQLError(`${tooLargeMessage} The mutation was carried out.`)]) };
}

/** Opens a subscription. */
export async function subscribeOperation(args: ExecutionArgs): Promise<ResultSource | ExecutionResult> {
  const { log } = args.contextValue as Context;
  const valid = validateArgs(args, validateSubscriptionArgs);
  const errors = 'schema' in valid ? requestFaults(valid) : valid;
  if (!('schema' in valid) || errors.length > 0) return { errors: requestErrors(errors) };
  const source: unknown = await createSourceEventStream(valid);
  if (!(source instanceof Feed || source instanceof Account)) return maskErrors(source as ExecutionResult, log);
  try {
    return source instanceof Feed ? new Subscription(valid, source) : new Subscription(valid, source);
  } catch (error) {
    source.stop();
    throw error;
  }
}

/** The arguments with coerced variables, or the errors of the variables. */
function validateArgs<Valid>(args: ExecutionArgs, validate: (args: ExecutionArgs) => Valid | readonly GraphQLError[]) {
  const declared = withDeclaredVariables(args);
  const errors = variableCountErrors(declared);
  return errors.length > 0 ? errors : validate(declared);
}

/** Faults of the request that validation does not find. */
const requestFaults = (valid: ValidatedExecutionArgs) => [...nullVariableErrors(valid), ...costErrors(valid)];
