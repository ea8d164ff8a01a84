// Yoga, with its execution replaced by ours, and its event stream and everything that calls a CDN left out.

import type { ExecutionResult, GraphQLError } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Context } from '../schema/context.ts';
import { toClientError } from '../schema/error-code.ts';
import { executeOperation, subscribeOperation } from '../schema/execute.ts';
import { schema } from '../schema/index.ts';
import { Subscription } from '../schema/subscription.ts';
import { parseDocument, validateDocument } from './documents.ts';
import { graphiql, renderPage } from './graphiql.ts';
import { statusOf } from './refusal.ts';
import { type EventSource, once } from './sse.ts';

/** What the HTTP door knows of a request, and where it is given what no Response can carry. */
export interface Exchange {
  readonly context: Context;
  /** `events` is set where the answer is an event stream, in place of a body. */
  readonly answer: { events?: EventSource };
}

export function createGraphQL() {
  return createYoga<Exchange, Context>({
    schema,
    context: ({ context }) => context,
    renderGraphiQL: renderPage,
    graphiql,
    landingPage: false,
    logging: false,
    maskedErrors: false,
    multipart: false,
    batching: false,
    cors: false,
    parserAndValidationCache: false,
    // Read and measured before it gets here.
    maxRequestBodySize: false,
    plugins: [ourExecution, ourResults],
  });
}

const ourExecution: Plugin<Exchange> = {
  onParse: ({ setParseFn }) => setParseFn((source) => parseDocument(String(source))),
  onValidate: ({ setValidationFn }) => setValidationFn((_schema, document) => validateDocument(document)),
  onExecute: ({ setExecuteFn }) => setExecuteFn(executeOperation),
  onSubscribe: ({ args, setSubscribeFn }) =>
    setSubscribeFn(async () => {
      const result = await subscribeOperation(args);
      // Put aside as it is: what Yoga makes of it has no cursor.
      if (!(result instanceof Subscription)) return result;
      args.contextValue.answer.events = result;
      // A client that left while its room was looked up leaves nobody to end the stream later.
      if (!args.contextValue.context.wanted()) result.stop();
      return (async function* () {})();
    }),
};

/** The answer where there is nothing but errors. Yoga's own bring their status along, as `http`, which is not for the client. */
function refusal(Response: typeof globalThis.Response, errors: readonly GraphQLError[]) {
  const [first] = errors as [GraphQLError];
  const { http } = first.extensions as { http?: { status?: number } };
  const told = errors.map((error) => {
    const { extensions: { http: _, ...extensions } = {}, ...rest } = error.toJSON();
    return { ...rest, extensions };
  });
  return Response.json({ errors: told }, { status: http?.status ?? statusOf(undefined, first) });
}

const eventStreamTypes = ['text/event-stream', 'text/*', '*/*'];

const ourResults: Plugin<object, Exchange> = {
  onResultProcess({ request, result, setResult, setResultProcessor, serverContext }) {
    if (Array.isArray(result)) return;
    if ('errors' in result && result.errors) {
      // Yoga's own errors, of parsing and validation for instance, have not met ours.
      setResult({ ...result, errors: result.errors.map((error) => toClientError(error, serverContext.context.log)) });
    }
    // A stream can be nothing else; a result is one event where that is what is asked for first, and JSON otherwise.
    const types = (request.headers.get('accept') || '*/*').split(',').map((type) => type.split(';', 1)[0]?.trim().toLowerCase() ?? '');
    const wanted =
      Symbol.asyncIterator in result ? types.some((type) => eventStreamTypes.includes(type)) : types[0] === 'text/event-stream';
    if (!wanted) return;
    setResultProcessor((final, { Response }) => {
      if (!(Symbol.asyncIterator in final) && !Array.isArray(final) && 'errors' in final && final.data === undefined) {
        // A refusal that answered 200 would have a browser come back for ever.
        return refusal(Response, final.errors ?? []);
      }
      serverContext.answer.events ??= once(final as ExecutionResult);
      return new Response();
    }, 'text/event-stream');
  },
};
