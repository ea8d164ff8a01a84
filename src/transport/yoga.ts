// Yoga, with its execution replaced by the one of this project. Event streams are written by event-stream.ts, and GraphiQL is
// served by page.ts.

import { type ExecutionResult, GraphQLError } from 'graphql';
import { createYoga, type GraphQLParams, type Plugin } from 'graphql-yoga';
import type { Config } from '../config.ts';
import type { Context } from '../schema/context.ts';
import { toClientError } from '../schema/error-code.ts';
import { executeOperation, subscribeOperation } from '../schema/execute.ts';
import { schema } from '../schema/index.ts';
import { isResultSource, type ResultSource } from '../schema/subscription.ts';
import { acceptsEventStream, prefersEventStream } from './accept.ts';
import { parseDocument, validateDocument } from './documents.ts';
import { endedResults } from './ended-results.ts';
import { nestingMessage, nestsTooDeeply } from './limits.ts';
import { statusOf } from './refusal.ts';

/** What Yoga is given with a request, and where it puts an answer that is an event stream. */
export interface Exchange {
  readonly context: Context;
  readonly answer: {
    /** The results of a subscription. */
    source?: ResultSource;
    /** A single result that is to be written as an event stream. */
    single?: ExecutionResult;
  };
}

export function createGraphQL(config: Pick<Config, 'introspection'>) {
  return createYoga<Exchange, Context>({
    schema,
    context: ({ context }) => context,
    graphiql: false,
    landingPage: false,
    logging: false,
    maskedErrors: false,
    multipart: false,
    batching: false,
    cors: false,
    parserAndValidationCache: false,
    // body.ts limits it.
    maxRequestBodySize: false,
    plugins: [limitedParams, executionOf(config), ourResults],
  });
}

const limitedParams: Plugin = {
  // Yoga would report JSON that it cannot parse here as a failure of the server.
  onRequestParse({ request, url, setRequestParser }) {
    if (request.method === 'GET') setRequestParser(() => paramsOf(url.searchParams));
  },
  onParams({ params: { variables, extensions, operationName } }) {
    if (nestsTooDeeply(variables) || nestsTooDeeply(extensions)) throw badRequest(nestingMessage);
    if (operationName != null && typeof operationName !== 'string') throw badRequest('operationName has to be a string.');
  },
};

function paramsOf(parameters: URLSearchParams): GraphQLParams {
  const parse = (name: string) => {
    try {
      return JSON.parse(parameters.get(name) || 'null');
    } catch {
      throw badRequest(`${name} has to be JSON.`);
    }
  };
  return {
    query: parameters.get('query') || undefined,
    operationName: parameters.get('operationName') || undefined,
    variables: parse('variables'),
    extensions: parse('extensions'),
  } as GraphQLParams;
}

/** Yoga reads the status from `http`. */
const badRequest = (message: string) => new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } } });

const executionOf = (config: Pick<Config, 'introspection'>): Plugin<Exchange> => ({
  onParse: ({ setParseFn }) => setParseFn((source) => parseDocument(String(source))),
  onValidate: ({ setValidationFn, context }) =>
    setValidationFn((_schema, document) => validateDocument(document, config, (context as unknown as Context).share)),
  onExecute: ({ setExecuteFn }) => setExecuteFn(executeOperation),
  onSubscribe: ({ args, setSubscribeFn }) =>
    setSubscribeFn(async () => {
      // Without the request that Yoga adds, which the subscription would keep.
      const opened = await subscribeOperation({ ...args, contextValue: (args.contextValue as unknown as Exchange).context });
      if (!isResultSource(opened)) return opened;
      const { answer, context } = args.contextValue as unknown as Exchange;
      answer.source = opened;
      // If the client left while the room was looked up, the source would not be stopped later.
      if (!context.wanted()) opened.stop();
      return endedResults;
    }),
});

/**
 * A result without data is the refusal of the request. Its status is that of its error, except as application/json. Yoga has set
 * the status of its own errors.
 */
function withStatus(result: ExecutionResult): ExecutionResult {
  if (result.data !== undefined) return result;
  const errors = result.errors?.map((error) => {
    const { message, nodes, source, positions, path, extensions } = error;
    if (extensions['http'] !== undefined) return error;
    const options = {
      nodes,
      source,
      positions,
      path,
      cause: error.cause,
      extensions: { ...extensions, http: { status: statusOf(undefined, error), spec: true } },
    };
    return new GraphQLError(message, options as ConstructorParameters<typeof GraphQLError>[1]);
  });
  return { ...result, errors: errors as readonly GraphQLError[] };
}

/** An answer that contains only errors. Yoga's own errors carry their status as `http`, which is not for the client. */
function refusal(Response: typeof globalThis.Response, errors: readonly GraphQLError[]) {
  const [first] = errors as [GraphQLError];
  const { http } = first.extensions as { http?: { status?: number } };
  const clientErrors = errors.map((error) => {
    const { extensions: { http: _, ...extensions } = {}, ...rest } = error.toJSON();
    return { ...rest, extensions };
  });
  return Response.json({ errors: clientErrors }, { status: http?.status ?? statusOf(undefined, first) });
}

const ourResults: Plugin<object, Exchange> = {
  onResultProcess({ request, result, setResult, setResultProcessor, serverContext }) {
    if (Array.isArray(result)) return;
    if ('errors' in result && result.errors) {
      // Yoga's own errors have not been masked yet.
      const errors = result.errors.map((error) => toClientError(error, serverContext.context.log));
      setResult(withStatus({ ...result, errors }));
    }
    const accept = request.headers.get('accept');
    // A subscription can be answered with an event stream only.
    const isEventStream = Symbol.asyncIterator in result ? acceptsEventStream(accept) : prefersEventStream(accept);
    if (!isEventStream) return;
    setResultProcessor((final, { Response }) => {
      if (!(Symbol.asyncIterator in final) && !Array.isArray(final)) {
        // An EventSource would reconnect forever if a refusal answered 200.
        if ('errors' in final && final.data === undefined) return refusal(Response, final.errors ?? []);
        serverContext.answer.single = final as ExecutionResult;
      }
      return new Response();
    }, 'text/event-stream');
  },
};
