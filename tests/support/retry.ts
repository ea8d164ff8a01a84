// The server's retry policy, with a database that answers unless a test says otherwise.

import { Retry, type RetryOptions } from '../../src/feed/retry.ts';
import { silentLog } from './server.ts';

export const retryFor = (options: Partial<RetryOptions> = {}) => new Retry({ log: silentLog, isDatabaseAnswering: () => true, ...options });
