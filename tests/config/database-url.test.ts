// DATABASE_URL in every form that libpq reads.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type DatabaseAddress, findProblem, parseDatabaseUrl } from '../../src/config/database-url.ts';
import { ConfigError } from '../../src/config.ts';

const given = (address: DatabaseAddress) => Object.fromEntries(Object.entries(address).filter(([, value]) => value !== undefined));

describe('a DATABASE_URL', () => {
  const accepted: [string, Partial<DatabaseAddress>][] = [
    ['postgres://', {}],
    ['postgresql:///chat', { database: 'chat' }],
    ['postgres://db.example/chat', { host: 'db.example', database: 'chat' }],
    ['POSTGRES://db.example:5433/', { host: 'db.example', port: 5433 }],
    ['postgres://ada@db/chat', { user: 'ada', host: 'db', database: 'chat' }],
    ['postgres://ada:@db/chat', { user: 'ada', password: '', host: 'db', database: 'chat' }],
    // Cloud SQL, and other Unix sockets
    ['postgres://ada@/chat?host=/cloudsql/p:r:i', { user: 'ada', database: 'chat', host: '/cloudsql/p:r:i' }],
    ['postgres://ada:pw@/chat?host=/run/pg&port=6432', { user: 'ada', password: 'pw', database: 'chat', host: '/run/pg', port: 6432 }],
    ['postgres://%2Fvar%2Frun%2Fpostgresql/chat', { host: '/var/run/postgresql', database: 'chat' }],
    ['postgres:///chat?user=ada&password=p%40w&host=db', { database: 'chat', user: 'ada', password: 'p@w', host: 'db' }],
    // IPv6
    ['postgres://[::1]/chat', { host: '::1', database: 'chat' }],
    ['postgres://ada:pw@[2001:db8::7]:5433/chat', { user: 'ada', password: 'pw', host: '2001:db8::7', port: 5433, database: 'chat' }],
    // Passwords
    ['postgres://ada:p%40s%3As%2Fw%3F%23%25@db/chat', { user: 'ada', password: 'p@s:s/w?#%', host: 'db', database: 'chat' }],
    ['postgres://ada:p@ss@db/chat', { user: 'ada', password: 'p@ss', host: 'db', database: 'chat' }],
    ['postgres://ada:a:b@db/chat', { user: 'ada', password: 'a:b', host: 'db', database: 'chat' }],
    ['postgres://ada:100%@db/chat', { user: 'ada', password: '100%', host: 'db', database: 'chat' }],
    ['postgres://ada:100%zz@db/chat', { user: 'ada', password: '100%zz', host: 'db', database: 'chat' }],
    ['postgres://ada:a b[]{}|\\^"<>,é@db/chat', { user: 'ada', password: 'a b[]{}|\\^"<>,é', host: 'db', database: 'chat' }],
    ['postgres://ada:%C3%A9%2B+@db/chat', { user: 'ada', password: 'é++', host: 'db', database: 'chat' }],
    // Other names
    ['postgres://db/my%20chat', { host: 'db', database: 'my chat' }],
    ['postgres://db?sslmode=verify-full&sslrootcert=/ca.pem', { host: 'db', sslMode: 'verify-full', sslRootCert: '/ca.pem' }],
    ['postgres://db/?ssl=true', { host: 'db', sslMode: 'verify-full' }],
    ['postgres://db/?ssl=0', { host: 'db', sslMode: 'disable' }],
    ['postgres://db/?ssl=no-verify', { host: 'db', sslMode: 'no-verify' }],
    [
      'postgres://db/chat?application_name=x&options=-c%20geqo%3Doff',
      { host: 'db', database: 'chat', applicationName: 'x', options: '-c geqo=off' },
    ],
    // What others add, and libpq or pg ignores
    ['postgres://db/chat?pgbouncer=true&channel_binding=require', { host: 'db', database: 'chat' }],
    ['postgres://db/chat?schema=app', { host: 'db', database: 'chat', foreignSchema: 'app' }],
    ['postgres://db/chat?currentSchema=app', { host: 'db', database: 'chat', foreignSchema: 'app' }],
    [' postgres://db/chat\n', { host: 'db', database: 'chat' }],
  ];
  for (const [url, expected] of accepted) {
    it(`is read: ${url}`, () => {
      assert.equal(findProblem(url), undefined);
      assert.deepEqual(given(parseDatabaseUrl(url)), expected);
    });
  }

  const refused: [string, RegExp][] = [
    ['mysql://db/chat', /must be a URL that starts with postgres/],
    ['db/chat', /must be a URL/],
    ['postgres:db', /must be a URL/],
    ['postgres://ada:hunter2/x@db/chat', /%2F/],
    ['postgres://ada:1/hunter2@db/chat', /%2F/],
    ['postgres://ada:hunter2?x@db/chat', /%3F/],
    ['postgres://ada:1?hunter2@db/chat', /%3F/],
    ['postgres://ada:hunter2#x@db/chat', /%23/],
    ['postgres://ada:hunter2%ff@db/chat', /%25/],
    ['postgres://ada:hunter2@db:0/chat', /port/],
    ['postgres://ada:hunter2@db:65536/chat', /port/],
    ['postgres://ada:hunter2@db:chat', /port/],
    ['postgres://ada:hunter2@::1/chat', /brackets/],
    ['postgres://ada:hunter2@[nowhere]/chat', /cannot be read/],
    ['postgres://ada:hunter2@db/chat?sslmode=on', /sslmode/],
    ['postgres://ada:hunter2@db/chat?ssl=yes', /sslmode/],
    ['postgres://ada:hunter2@a,b/chat', /several hosts/],
  ];
  for (const [url, reason] of refused) {
    it(`is refused with a sentence that has neither the user nor the password: ${url}`, () => {
      assert.throws(
        () => parseDatabaseUrl(url),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.match(error.message, /^DATABASE_URL [^\n]+\.$/);
          assert.match(error.message, reason);
          assert.doesNotMatch(error.message, /hunter2|ada/);
          return true;
        },
      );
    });
  }
});
