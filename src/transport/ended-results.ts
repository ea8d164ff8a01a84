// graphql-ws and Yoga read the results of a subscription from an async iterable. Here results go to a sink, so these iterables
// yield nothing and only report how the subscription ended.

const iterable = (next: () => Promise<IteratorReturnResult<undefined>>): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({ next }),
});

/** A subscription that has ended. */
export const endedResults = iterable(() => Promise.resolve({ done: true, value: undefined }));

/** A subscription that has failed. */
export const failedResults = (error: unknown): AsyncIterable<never> => iterable(() => Promise.reject(error));
