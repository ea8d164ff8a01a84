// The transport of a subscription, in the smallest terms that the kit needs. A graphql-ws client fits as it is.

/** An operation as it is sent (https://github.com/graphql/graphql-over-http/blob/main/spec/GraphQLOverHTTP.md#request-parameters). */
export interface Payload {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
  readonly extensions?: Record<string, unknown> | null | undefined;
}

/** The result of the operation for one event. */
export interface Result<Data = Record<string, unknown>, Extensions = unknown> {
  readonly data?: Data | null | undefined;
  readonly errors?: readonly { readonly message: string; readonly extensions?: Record<string, unknown> | undefined }[] | undefined;
  readonly extensions?: Extensions | undefined;
}

/** Receives results. Either `error` or `complete` is called, once, as the last call. */
export interface Sink<Value = Result> {
  next(value: Value): void;
  /** The error is an array of GraphQL errors if the server refused the operation. */
  error(error: unknown): void;
  complete(): void;
}

export interface Subscriber {
  /** Starts a subscription. Returns a function that ends it. */
  // biome-ignore lint/suspicious/noExplicitAny: graphql-ws has its own types for results
  subscribe(payload: any, sink: Sink<any>): () => void;
}
