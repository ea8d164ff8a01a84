// What a subscription goes through, in the smallest terms that are needed: a client of graphql-ws fits them as it is.

/** An operation, as it travels (https://github.com/graphql/graphql-over-http/blob/main/spec/GraphQLOverHTTP.md#request-parameters). */
export interface Payload {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
  readonly extensions?: Record<string, unknown> | null | undefined;
}

/** What the server says for one event. */
export interface Result<Data = Record<string, unknown>, Extensions = unknown> {
  readonly data?: Data | null | undefined;
  readonly errors?: readonly { readonly message: string; readonly extensions?: Record<string, unknown> | undefined }[] | undefined;
  readonly extensions?: Extensions | undefined;
}

/** Who is told. Of `error` and `complete` one is called, once, and nothing after it. */
export interface Sink<Value = Result> {
  next(value: Value): void;
  /** With an array of GraphQL errors where it is the server that refuses. */
  error(error: unknown): void;
  complete(): void;
}

export interface Subscriber {
  /** Begins, and returns how to end it. */
  // biome-ignore lint/suspicious/noExplicitAny: graphql-ws has types of its own for what a server says
  subscribe(payload: any, sink: Sink<any>): () => void;
}
