// Calls something when a token ends, however far off that is. A timer of Node's reaches no further than 24 days.

const longestTimerMs = 2 ** 31 - 1;

/** Calls `end` at `instant`, unless the returned function is called before. */
export function endAt(instant: Date, end: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    const leftMs = instant.getTime() - Date.now();
    timer = setTimeout(leftMs > longestTimerMs ? wait : end, Math.max(0, Math.min(leftMs, longestTimerMs)));
    timer.unref();
  };
  wait();
  return () => clearTimeout(timer);
}
