import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, readConfig } from '../src/config.ts';

type Env = Record<string, string>;

const secret = 'a secret of at least thirty-two bytes';
const postgres = { DATABASE_URL: 'postgres://127.0.0.1/gapless' };
const jwks = { JWT_JWKS_URL: 'https://id.example/jwks' };

const refusalOf = (env: Env): string => {
  try {
    readConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  throw new Error(`${JSON.stringify(env)} was accepted.`);
};

describe('the settings', () => {
  it('have a default for everything', () => {
    assert.deepEqual(readConfig({}), {
      port: 4000,
      host: '127.0.0.1',
      logLevel: 'info',
      storage: { dataDir: 'data' },
      redisUrl: undefined,
      identity: { mode: 'guest' },
      basePath: '',
      allowedOrigins: [],
      allowedHosts: [],
      introspection: true,
      graphiql: true,
      retentionDays: undefined,
      rateLimits: 1,
      limits: {
        rates: {
          send: { points: 30, seconds: 10 },
          sendInRoom: { points: 5, seconds: 1 },
          change: { points: 10, seconds: 1 },
          marker: { points: 5, seconds: 1 },
          createRoom: { points: 10, seconds: 3600 },
          joinOrLeave: { points: 10, seconds: 60 },
          invite: { points: 20, seconds: 3600 },
          signIn: { points: 10, seconds: 3600 },
        },
        open: { socketsOfUser: 20, socketsOfAddress: 200 },
      },
      trustedProxies: 0,
      drainDelayMs: 5000,
    });
  });

  const accepted: [Env, Partial<ReturnType<typeof readConfig>>][] = [
    [{ PORT: '0' }, { port: 0 }],
    [{ PORT: '65535' }, { port: 65_535 }],
    [{ HOST: '::' }, { host: '::' }],
    [{ LOG_LEVEL: 'silent' }, { logLevel: 'silent' }],
    [{ DATA_DIR: '/var/lib/gapless' }, { storage: { dataDir: '/var/lib/gapless' } }],
    [{ ...postgres, IDENTITY: 'guest' }, { storage: { databaseUrl: postgres.DATABASE_URL, poolSize: 10 } }],
    [{ ...postgres, IDENTITY: 'guest', DATABASE_POOL_SIZE: '2' }, { storage: { databaseUrl: postgres.DATABASE_URL, poolSize: 2 } }],
    [{ DATABASE_URL: 'postgres://ada:a,b@h/d', IDENTITY: 'guest' }, { storage: { databaseUrl: 'postgres://ada:a,b@h/d', poolSize: 10 } }],
    [{ ...postgres, IDENTITY: 'guest', DATA_DIR: 'unused' }, { storage: { databaseUrl: postgres.DATABASE_URL, poolSize: 10 } }],
    [
      { ...postgres, IDENTITY: 'guest', DATABASE_SCHEMA: 'My "Chat"', DATABASE_PREPARE: 'off' },
      { storage: { databaseUrl: postgres.DATABASE_URL, poolSize: 10, schema: 'My "Chat"', preparesStatements: false } },
    ],
    [{ ...postgres, IDENTITY: 'guest', REDIS_URL: 'rediss://r:1' }, { redisUrl: 'rediss://r:1' }],
    [{ ...postgres, IDENTITY: 'guest', REDIS_URL: 'redis://[::1]:1/2\n' }, { redisUrl: 'redis://[::1]:1/2' }],
    [{ ...postgres, IDENTITY: 'guest', REDIS_URL: 'redis://ada:p%40%2F:@r?family=6' }, { redisUrl: 'redis://ada:p%40%2F:@r?family=6' }],
    [{ ALLOWED_ORIGINS: 'https://a.example, http://localhost:3000,' }, { allowedOrigins: ['https://a.example', 'http://localhost:3000'] }],
    [{ ALLOWED_ORIGINS: 'HTTPS://App.Example:443' }, { allowedOrigins: ['https://app.example'] }],
    [{ ALLOWED_ORIGINS: 'https://bücher.example:8443' }, { allowedOrigins: ['https://xn--bcher-kva.example:8443'] }],
    [{ ALLOWED_ORIGINS: 'http://[::1]:3000' }, { allowedOrigins: ['http://[::1]:3000'] }],
    [
      { ALLOWED_ORIGINS: 'capacitor://localhost,ionic://localhost,tauri://localhost,chrome-extension://abcdefghijklmnop' },
      { allowedOrigins: ['capacitor://localhost', 'ionic://localhost', 'tauri://localhost', 'chrome-extension://abcdefghijklmnop'] },
    ],
    [
      { ALLOWED_ORIGINS: 'https://*.Example.com,http://*.app.localhost:3000' },
      { allowedOrigins: ['https://*.example.com', 'http://*.app.localhost:3000'] },
    ],
    [
      { ALLOWED_HOSTS: 'Chat.Example, 10.0.0.1, ::1, [fe80::1], *.chat.example, node-1' },
      { allowedHosts: ['chat.example', '10.0.0.1', '[::1]', '[fe80::1]', '*.chat.example', 'node-1'] },
    ],
    [{ BASE_PATH: '/chat' }, { basePath: '/chat' }],
    [{ BASE_PATH: '/a/b-c.d/~e' }, { basePath: '/a/b-c.d/~e' }],
    [{ INTROSPECTION: 'off' }, { introspection: false }],
    [{ GRAPHIQL: 'off' }, { graphiql: false }],
    [{ RETENTION_DAYS: '0.5' }, { retentionDays: 0.5 }],
    [{ RATE_LIMITS: '2.5' }, { rateLimits: 2.5 }],
    [{ RATE_LIMITS: 'off' }, { rateLimits: Number.POSITIVE_INFINITY }],
    [{ TRUST_PROXY: '2' }, { trustedProxies: 2 }],
    [{ TRUST_PROXY: '10.0.0.0/8, 2001:db8::1,loopback' }, { trustedProxies: ['10.0.0.0/8', '2001:db8::1', 'loopback'] }],
    [{ DRAIN_DELAY_MS: '0' }, { drainDelayMs: 0 }],
  ];
  for (const [env, expected] of accepted) {
    it(`accept ${JSON.stringify(env)}`, () => {
      const config = readConfig(env);
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(config[name as keyof typeof config], value);
    });
  }

  const several = [
    'postgres://a:1,b:2/d',
    'postgres://ada:pass@a,b/d?sslmode=require',
    'postgres:///d?host=a,b',
    'postgresql://a/d?host=x,y',
  ];
  for (const DATABASE_URL of several) {
    it(`refuse a DATABASE_URL with several hosts, and say what to do: ${DATABASE_URL}`, () => {
      assert.match(refusalOf({ DATABASE_URL }), /^DATABASE_URL names several hosts.*follows the primary/);
    });
  }

  const wrong: Record<string, string[]> = {
    PORT: ['http', '-1', '65536', '1.5', '1e3', '0x50', ' ', 'Infinity'],
    LOG_LEVEL: ['loud', 'INFO'],
    DATABASE_URL: ['mysql://h/d', 'h', 'redis://h'],
    DATABASE_POOL_SIZE: ['1', '1001', 'ten', '2.5'],
    DATABASE_SCHEMA: [' ', 'chat ', '\tchat', 'pg_chat', 'information_schema', 'x'.repeat(64), 'a\0b'],
    DATABASE_PREPARE: ['on', 'OFF'],
    REDIS_URL: [
      ...['http://h', 'localhost:6379', 'redis', 'redis:h', 'redis://', 'redis:///socket', '//h', '/tmp/redis.sock'],
      ...['redis://:hunter2%zz@h', 'redis://ada%:hunter2@h', 'redis://:hunter2/x@h', 'redis://:hunter2?x@h', 'redis://:hunter2#x@h'],
      ...['redis://h/chat', 'redis://h/-1', 'redis://h/1.5', 'redis://h/0/1', 'redis://h:x', 'redis://a:1,b:2'],
    ],
    IDENTITY: ['anyone', 'JWT'],
    JWT_SECRET: ['x'.repeat(31), 'short'],
    JWT_JWKS_URL: ['ftp://h/jwks', 'jwks.json', 'https:', 'https://', 'https://ada:hunter2@h/jwks', 'https://ada@h/jwks'],
    ALLOWED_ORIGINS: [
      ...['*', 'null', 'app.example', 'https://app.example/', 'https://a.example https://b.example', 'https://ok.example,x'],
      ...[
        'https://*',
        'https://*.com',
        'https://*.*.example.com',
        'https://a.*.example.com',
        'https://*a.example.com',
        'https://*.10.0.0.1',
      ],
      ...['https://app.example/path', 'https://app.example?x', 'https://app.example#x', 'https://ada@app.example', 'https://app.example:x'],
      ...[
        'capacitor://*.example.com',
        'file://',
        'file://host',
        'ws://app.example',
        'javascript://x',
        'data:text/html',
        '//app.example',
        'https:app.example',
      ],
    ],
    ALLOWED_HOSTS: [
      '*',
      '*.com',
      'chat.example:4000',
      'https://chat.example',
      'chat.example/',
      'a b',
      '[::1]:80',
      '[::',
      'a@b',
      '*.*.chat.example',
    ],
    BASE_PATH: [
      '/',
      'chat',
      '/chat/',
      '//chat',
      '/chat//x',
      '/../x',
      '/./x',
      '/a/..',
      '/a b',
      '/a?b',
      '/a#b',
      '/%61',
      'https://chat.example/chat',
    ],
    INTROSPECTION: ['no', 'OFF', 'false'],
    GRAPHIQL: ['no', '0'],
    RETENTION_DAYS: ['0', '-1', 'week', '36501', 'NaN', ' '],
    RATE_LIMITS: ['0', '-1', 'none', 'Infinity', 'OFF', ' '],
    RATE_LIMIT_SEND: ['30', '0/s', '-1/s', '1.5/s', '30/10', '30/0s', '30/2d', '30/25h', '2000000/s', '30 / 10s', 'OFF', ' '],
    RATE_LIMIT_SOCKETS_OF_USER: ['0', '-1', '1.5', '20/s', 'many', ' '],
    TRUST_PROXY: ['-1', '10', 'true', 'proxy.example', '10.0.0.0/33', '10.0.0.0/8,', ' '],
    DRAIN_DELAY_MS: ['-1', '10001', 'soon', '0.5'],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      it(`refuse ${name}=${JSON.stringify(value)} with one sentence that names the setting`, () => {
        const message = refusalOf({ ...(name === 'REDIS_URL' ? postgres : {}), [name]: value });
        assert.match(message, new RegExp(`^${name} [^\\n]+\\.$`));
        assert.doesNotMatch(message, /hunter2/);
      });
    }
  }

  it('never print a secret when they are refused', () => {
    assert.doesNotMatch(refusalOf({ DATABASE_URL: 'mysql://admin:hunter2@h/d', JWT_SECRET: 'hunter2' }), /hunter2/);
  });

  it('are refused with one line for each wrong setting', () => {
    assert.deepEqual(
      refusalOf({ PORT: 'x', LOG_LEVEL: 'x', IDENTITY: 'x' })
        .split('\n')
        .map((line) => line.split(' ', 1)[0]),
      ['PORT', 'LOG_LEVEL', 'IDENTITY'],
    );
  });

  it('multiply every rate limit that is not set by itself, and allow at least one', () => {
    const { limits } = readConfig({
      RATE_LIMITS: '0.1',
      RATE_LIMIT_SEND: '60/2m',
      RATE_LIMIT_INVITE: 'off',
      RATE_LIMIT_SOCKETS_OF_USER: '7',
    });
    assert.deepEqual(
      [limits.rates.send, limits.rates.sendInRoom, limits.rates.signIn, limits.rates.invite],
      [{ points: 60, seconds: 120 }, { points: 1, seconds: 1 }, { points: 1, seconds: 3600 }, undefined],
    );
    assert.deepEqual(limits.open, { socketsOfUser: 7, socketsOfAddress: 20 });
  });

  it('turn off every rate limit that is not set by itself', () => {
    const { limits } = readConfig({ RATE_LIMITS: 'off', RATE_LIMIT_CHANGE: '1/s' });
    const set = [...Object.values(limits.rates), ...Object.values(limits.open)].filter((limit) => limit !== undefined);
    assert.deepEqual(set, [{ points: 1, seconds: 1 }]);
  });

  it('treat an empty value as unset', () => {
    const names = [...Object.keys(wrong), 'HOST', 'DATA_DIR', 'JWT_ISSUER', 'JWT_AUDIENCE'];
    assert.deepEqual(readConfig(Object.fromEntries(names.map((name) => [name, '']))), readConfig({}));
  });
});

describe('the identity that settings choose', () => {
  const guest = { mode: 'guest' };
  const jwt = { mode: 'jwt', key: { secret }, issuer: undefined, audience: undefined };
  const chosen: [string, Env, object][] = [
    ['is guest while nothing else is set', {}, guest],
    ['is guest when asked for', { IDENTITY: 'guest' }, guest],
    ['is guest in a cluster only when asked for', { ...postgres, IDENTITY: 'guest' }, guest],
    ['is jwt with a secret', { JWT_SECRET: secret }, jwt],
    ['counts the bytes of a secret, not its letters', { JWT_SECRET: 'ä'.repeat(16) }, { ...jwt, key: { secret: 'ä'.repeat(16) } }],
    ['is jwt with two secrets', { JWT_SECRET: secret, JWT_SECRET_PREVIOUS: secret }, { ...jwt, key: { secret, previousSecret: secret } }],
    ['is jwt with a key set', jwks, { ...jwt, key: { jwksUrl: new URL(jwks.JWT_JWKS_URL) } }],
    ['is jwt when asked for, with its key', { IDENTITY: 'jwt', JWT_SECRET: secret }, jwt],
    ['is jwt in a cluster', { ...postgres, JWT_SECRET: secret }, jwt],
    [
      'is jwt with issuer and audience',
      { JWT_SECRET: secret, JWT_ISSUER: 'https://id.example', JWT_AUDIENCE: 'chat' },
      { ...jwt, issuer: 'https://id.example', audience: 'chat' },
    ],
  ];
  for (const [name, env, identity] of chosen) it(name, () => assert.deepEqual(readConfig(env).identity, identity));

  const contradictions: [Env, string[]][] = [
    [postgres, ['IDENTITY', 'JWT_SECRET', 'JWT_JWKS_URL']],
    [{ IDENTITY: 'jwt' }, ['IDENTITY', 'JWT_SECRET', 'JWT_JWKS_URL']],
    [{ IDENTITY: 'guest', JWT_SECRET: secret }, ['IDENTITY', 'JWT_SECRET']],
    [{ IDENTITY: 'guest', ...jwks }, ['IDENTITY', 'JWT_JWKS_URL']],
    [{ JWT_SECRET: secret, ...jwks }, ['JWT_SECRET', 'JWT_JWKS_URL']],
    [{ JWT_ISSUER: 'https://id.example' }, ['JWT_ISSUER', 'JWT_SECRET']],
    [{ JWT_AUDIENCE: 'chat' }, ['JWT_AUDIENCE', 'JWT_SECRET']],
    [{ IDENTITY: 'guest', JWT_ISSUER: 'https://id.example' }, ['IDENTITY', 'JWT_ISSUER']],
    [{ JWT_SECRET_PREVIOUS: secret }, ['JWT_SECRET_PREVIOUS', 'JWT_SECRET']],
    [{ REDIS_URL: 'redis://h' }, ['REDIS_URL', 'DATABASE_URL']],
    [{ DATABASE_SCHEMA: 'chat' }, ['DATABASE_SCHEMA', 'DATABASE_URL']],
  ];
  for (const [env, names] of contradictions) {
    it(`refuses ${Object.keys(env).join(' and ')} alone with a sentence that names ${names.join(', ')}`, () => {
      const message = refusalOf(env);
      assert.match(message, /^[^\n]+\.$/);
      for (const name of names) assert.ok(message.includes(name), message);
    });
  }
});
