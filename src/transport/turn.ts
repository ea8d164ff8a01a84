// What is written in one turn of the event loop leaves at its end, with one call of the system for each connection.

interface Flushed {
  flush(): void;
}

let waiting: Flushed[] = [];

/** Flushes it when what is under way in this turn of the event loop is done. */
export function flushSoon(writer: Flushed): void {
  if (waiting.length === 0) setImmediate(flushAll);
  waiting.push(writer);
}

function flushAll(): void {
  const writers = waiting;
  waiting = [];
  for (const writer of writers) writer.flush();
}
