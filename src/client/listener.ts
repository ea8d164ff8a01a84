// Calls callbacks of the application. An exception in one of them never reaches the code that delivers events.

/**
 * Calls a callback. What it throws is reported as an uncaught exception, as for a listener of an EventTarget: in browsers
 * by the `error` event of the window, in Node by `uncaughtException`.
 */
export function callListener(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    reportUncaught(error);
  }
}

function reportUncaught(error: unknown): void {
  // Browsers have it, Node does not.
  const { reportError } = globalThis as { reportError?: (error: unknown) => void };
  if (reportError) reportError(error);
  else {
    setTimeout(() => {
      throw error;
    });
  }
}
