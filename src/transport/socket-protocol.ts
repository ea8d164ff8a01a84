// What graphql-ws does for each operation of a WebSocket. A failure becomes the error of one operation. If it were thrown,
// graphql-ws would close the socket and end every other subscription.

import { type ExecutionArgs, type ExecutionResult, GraphQLError, getOperationAST } from 'graphql';
import { makeServer, type Context as Session } from 'graphql-ws';
import type { Config } from '../config.ts';
import { GaplessError, isRateLimited, unavailable } from '../errors.ts';
import type { Services } from '../schema/context.ts';
import { endsAsRestart, toClientError } from '../schema/error-code.ts';
import { executeOperation, subscribeOperation } from '../schema/execute.ts';
import { schema } from '../schema/index.ts';
import { isResultSource } from '../schema/subscription.ts';
import { inTime } from './deadline.ts';
import { isKnown, parseDocument, validateDocument } from './documents.ts';
import { endedResults, failedResults } from './ended-results.ts';
import { nestingMessage, nestsTooDeeply } from './limits.ts';
import type { Operation } from './operation.ts';
import type { Shares } from './shares.ts';
import { type ClientSocket, closings } from './socket.ts';
import { SocketContext } from './socket-context.ts';
import { identify, requireIntendedViewer } from './viewer.ts';

interface Payload {
  query: string;
  readonly variables?: Record<string, unknown> | null | undefined;
  readonly operationName?: string | null | undefined;
  readonly extensions?: unknown;
}

type SocketArgs = ExecutionArgs & { readonly contextValue: SocketContext };
type SocketSession = Session<Record<string, unknown>, ClientSocket>;
type Results = ExecutionResult | AsyncIterable<ExecutionResult>;

/** graphql-ws, with the execution of this project. */
export function createSocketProtocol(services: Services, config: Pick<Config, 'introspection'>, shares: Shares) {
  const { log, identity } = services;

  /** The payload of connection_ack. False if the token is invalid, or if the socket is meant for another viewer: graphql-ws then closes the socket with 4403. */
  async function connect(session: SocketSession): Promise<boolean | Record<string, unknown>> {
    const { connectionParams, extra: socket } = session;
    // Otherwise graphql-ws would keep the token for as long as the socket lives.
    Object.assign(session, { connectionParams: undefined });
    const authorization = connectionParams?.['authorization'] ?? connectionParams?.['Authorization'];
    if (authorization != null && typeof authorization !== 'string') return false;
    try {
      if (authorization != null) {
        const { viewer } = await identify(identity, { authorization });
        socket.openSocket.belongTo(viewer?.userId);
        socket.viewer = viewer;
      }
      for (const id of [socket.intendedViewerId, connectionParams?.['viewerId'] ?? undefined]) requireIntendedViewer(socket.viewer, id);
    } catch (error) {
      // Closed so that the client retries later. An answer of false would close with 4403, which is final.
      if (isRateLimited(error)) {
        socket.close(...closings.tooMany);
        return true;
      }
      if (!(error instanceof GaplessError) || error.code !== 'UNAUTHENTICATED') throw error;
      if (error.reason === 'SIGNED_OUT') socket.close(...closings.signedOut);
      return false;
    }
    return acknowledgement(socket);
  }

  /** Prepares an operation when its client may start one. */
  function begin(socket: ClientSocket, id: string, payload: Payload): SocketArgs | GraphQLError[] | Promise<SocketArgs | GraphQLError[]> {
    try {
      const started = shares.of(socket.viewer, socket.openSocket.address, socket.connection).start(isKnown(payload.query));
      return started ? started.then(() => prepare(socket, id, payload)) : prepare(socket, id, payload);
    } catch (error) {
      return [toClientError(error, log)];
    }
  }

  /** The arguments of the execution, or the errors of the request. */
  function prepare(socket: ClientSocket, id: string, payload: Payload): SocketArgs | GraphQLError[] {
    try {
      // It waited for its start meanwhile, and nothing of it has begun.
      if (!socket.open) throw stopping();
      if (nestsTooDeeply(payload.variables) || nestsTooDeeply(payload.extensions)) return [refused(nestingMessage)];
      const share = shares.of(socket.viewer, socket.openSocket.address, socket.connection);
      const document = parseDocument(payload.query);
      const errors = validateDocument(document, config, share);
      if (errors.length > 0) return errors.map((error) => toClientError(error, log));
      // graphql-ws keeps the text until the operation ends: let all keep the same string.
      payload.query = document.loc?.source.body as string;
      return {
        schema,
        document,
        contextValue: new SocketContext(services, shares, socket, socket.operations.current(id) as Operation),
        ...(payload.variables == null ? {} : { variableValues: payload.variables }),
        ...(payload.operationName == null ? {} : { operationName: payload.operationName }),
      };
    } catch (error) {
      return [toClientError(error, log)];
    }
  }

  /** Executes a query or mutation, once the client has read enough of the earlier results. */
  function execute(args: SocketArgs): Promise<ExecutionResult> {
    const { operation } = args.contextValue;
    const drained = untilDrained(args);
    const work = drained.then(() => executeOperation(args));
    const answer = drained
      .then(() => inTime(work, operation.lifetime))
      .catch((error: unknown) => ({ errors: [toClientError(error, log)] }));
    operation.isExecution = true;
    // Counts as under way until it has ended, even if the deadline passes or the operation is cancelled before that.
    operation.track(work);
    return operation.untilCancelled(answer, {});
  }

  /**
   * Opens a subscription. Resolves when all its results are delivered, or with the errors if it cannot be opened. Few promises
   * and functions wait until then, because they are most of what an idle subscription costs.
   */
  function subscribe(args: SocketArgs): Results | Promise<Results> {
    const { operation, socket } = args.contextValue;
    if (operation.cancelled) return endedResults;
    const { promise, resolve } = Promise.withResolvers<Results>();
    const end = () => resolve(endedResults);
    const restart = () => {
      // Nobody waits for a cancelled one, and the others of the socket go on.
      if (!operation.cancelled) socket.close(...closings.restart);
    };
    const fail = (error: unknown) => {
      if (endsAsRestart(error)) restart();
      resolve(failedResults(error));
    };
    operation.onCancelled = end;
    const opening = subscribeOperation(args);
    operation.track(opening);
    opening
      .then((opened) => {
        if (isResultSource(opened)) return void operation.deliver(opened).then(end, fail);
        if (opened.errors?.some(endsAsRestart)) restart();
        resolve(opened);
      })
      .catch(fail);
    return promise;
  }

  return makeServer<Record<string, unknown>, ClientSocket>({
    onConnect: connect,
    onSubscribe: ({ extra: socket }, id, payload) => begin(socket, id, payload),
    onError: (_session, _id, _payload, errors) => errors.map((error) => toClientError(error, log).toJSON()),
    execute: (args) => execute(args as never) as never,
    subscribe: (args) => subscribe(args as never) as never,
  });
}

/** Throws if the operation is no longer wanted. A cancelled mutation is executed: its client may rely on it. */
async function untilDrained({ contextValue: { operation, socket }, document, operationName }: SocketArgs): Promise<void> {
  const { connection } = socket;
  while (connection.full) await connection.drained();
  const isMutation = getOperationAST(document, operationName)?.operation === 'mutation';
  if (!socket.open) throw stopping();
  if (operation.cancelled && !isMutation) throw unavailable('The operation was cancelled.');
}

/** Tells the client when its token expires, also as a duration, because its clock may be wrong. */
const acknowledgement = ({ viewer }: ClientSocket) =>
  viewer ? { expiresAt: viewer.expiresAt.toISOString(), expiresInMs: viewer.expiresAt.getTime() - Date.now() } : true;

const stopping = () => unavailable('The server is stopping: retry, and another node answers.');
const refused = (message: string) => new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
