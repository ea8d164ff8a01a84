// Batches the writes of one turn of the event loop: one system call for each connection, at the end of the turn.

interface Flushed {
  flush(): void;
  /** Called if `flush` throws. */
  fail(error: unknown): void;
}

let waiting: Flushed[] = [];

/** Flushes the writer at the end of this turn of the event loop. */
export function flushSoon(writer: Flushed): void {
  if (waiting.length === 0) setImmediate(flushAll);
  waiting.push(writer);
}

function flushAll(): void {
  const writers = waiting;
  waiting = [];
  for (const writer of writers) flushNow(writer);
}

/** Flushes the writer. Never throws, so that a writer that fails does not stop the others. */
export function flushNow(writer: Flushed): void {
  try {
    writer.flush();
  } catch (error) {
    writer.fail(error);
  }
}
