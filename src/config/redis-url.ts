// Checks REDIS_URL before a client reads it: the client throws, or fails later without naming the setting. No error contains the
// user or password.

const scheme = 'must be a URL that starts with redis:// or rediss://';
const encoded = 'cannot be read: in the user and the password, write / as %2F, ? as %3F, # as %23, @ as %40 and % as %25';

/** Why a URL cannot be used: the rest of a sentence that begins with the name of the setting. Undefined if it can be used. */
export function findRedisProblem(text: string): string | undefined {
  if (!/^rediss?:\/\//i.test(text)) return scheme;
  const url = URL.parse(text);
  if (url === null || !isDecodable(url.username) || !isDecodable(url.password)) return encoded;
  if (url.hostname === '') return 'names no host';
  // After a / or ? of the password, the rest looks like a path or a parameter.
  if (`${url.pathname}${url.search}${url.hash}`.includes('@')) return encoded;
  if (!/^\/?\d*$/.test(url.pathname)) return 'has a path that is not the number of a database, such as /0';
  return undefined;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
