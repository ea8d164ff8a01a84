// A Node preload for the server: measures the delay of its event loop, and answers with it when the parent asks.

import { monitorEventLoopDelay } from 'node:perf_hooks';

const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
process.on('message', () => {
  const { heapUsed, external } = process.memoryUsage();
  process.send?.({ maxDelayMs: delay.max / 1e6, heapBytes: heapUsed + external });
  delay.reset();
});
process.channel?.unref();
