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
import { unavailable } from '../errors.ts';
import { Account } from '../feed/account.ts';
import { Feed } from '../feed/feed.ts';
import { largeBytes, maxAnswerBytes, measure, tooLargeMessage } from './answer-size.ts';
import type { Context } from './context.ts';
import { type Cost, costOf } from './cost.ts';
import { maskErrors, requestErrors, toClientError } from './error-code.ts';
import { type ResultSource, Subscription } from './subscription.ts';
import { nullVariableErrors, variableCountErrors, withDeclaredVariables } from './variables.ts';

/** Executes a query or mutation. */
export async function executeOperation(args: ExecutionArgs): Promise<ExecutionResult> {
  const context = args.contextValue as Context;
  const { share } = context;
  const valid = validateArgs(args, validateExecutionArgs);
  const { errors, isLarge } = 'schema' in valid ? requestFaults(valid) : { errors: valid, isLarge: false };
  if (!('schema' in valid) || errors.length > 0) return { errors: requestErrors(errors) };
  // A mutation is never large: what it writes may not wait for the reads of others.
  const isMutation = valid.operation.operation === OperationTypeNode.MUTATION;
  if (!share || isMutation) return (await executeMeasured(args, isMutation)).result;
  await share.rested();
  if (!isLarge) return (await executeMeasured(args, isMutation)).result;
  return share.runLarge(async () => {
    if (!context.wanted()) throw unavailable('The operation was not started in time: retry.');
    return executeMeasured(args, isMutation);
  });
}

/** Bytes of an answer that are read, measured and encoded in a millisecond. */
const bytesPerMs = 200_000;

/** Executes an operation, and measures for how long it blocks the event loop. */
async function executeMeasured(args: ExecutionArgs, isMutation: boolean): Promise<{ result: ExecutionResult; blockedMs: number }> {
  const { log, share } = args.contextValue as Context;
  const startMs = performance.now();
  const executing = execute(args);
  const executedMs = performance.now() - startMs;
  const result = maskErrors((await executing) as ExecutionResult, log);
  const bytes = measure(result);
  const blockedMs = executedMs + Math.min(bytes, 2 * maxAnswerBytes) / bytesPerMs;
  // The time of a small answer is that of other programs, or of the garbage collector.
  if (bytes >= largeBytes) share?.charge(blockedMs);
  return { result: answerOf(result, bytes, isMutation, args.contextValue as Context), blockedMs };
}

/** The result if it may be sent, or the error that says why it may not. */
function answerOf(result: ExecutionResult, bytes: number, isMutation: boolean, { share, log }: Context): ExecutionResult {
  const isTooLarge = bytes > maxAnswerBytes;
  if (!isTooLarge && (share?.accepts(bytes) ?? true)) return result;
  const message = isTooLarge ? tooLargeMessage : nodeIsFull;
  if (isMutation) return { data: null, errors: requestErrors([new GraphQLError(`${message} The mutation was carried out.`)]) };
  return { errors: isTooLarge ? requestErrors([new GraphQLError(message)]) : [toClientError(unavailable(message), log)] };
}

const nodeIsFull = 'Too many answers wait for their clients to read them.';

/** Opens a subscription. */
export async function subscribeOperation(args: ExecutionArgs): Promise<ResultSource | ExecutionResult> {
  const { log } = args.contextValue as Context;
  const valid = validateArgs(args, validateSubscriptionArgs);
  const errors = 'schema' in valid ? requestFaults(valid).errors : valid;
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

/** Faults of the request that validation does not find, and whether it may be large. */
function requestFaults(valid: ValidatedExecutionArgs): Cost {
  const cost = costOf(valid);
  return { ...cost, errors: [...nullVariableErrors(valid), ...cost.errors] };
}
