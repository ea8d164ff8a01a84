// Secrets in files.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ConfigError, readConfig } from '../../src/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'gapless-secrets-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const secret = 'a secret of at least thirty-two bytes';
let files = 0;
function fileWith(content: string): string {
  files += 1;
  const path = join(folder, `secret-${files}`);
  writeFileSync(path, content);
  return path;
}

const refusalOf = (env: Record<string, string>): string => {
  try {
    readConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  throw new Error(`${JSON.stringify(env)} was accepted.`);
};

describe('a secret', () => {
  it('is read from a file, without the white space at its end', () => {
    const config = readConfig({
      JWT_SECRET_FILE: fileWith(`${secret} \r\n`),
      JWT_SECRET_PREVIOUS_FILE: fileWith(`${secret}, formerly\n`),
      DATABASE_URL_FILE: fileWith('postgres://ada:hunter2@db/chat\n'),
      REDIS_URL_FILE: fileWith('redis://:hunter2@redis\n'),
    });
    const key = { secret, previousSecret: `${secret}, formerly` };
    assert.deepEqual(config.identity, { mode: 'jwt', key, issuer: undefined, audience: undefined });
    assert.ok('databaseUrl' in config.storage);
    assert.equal(config.storage.databaseUrl, 'postgres://ada:hunter2@db/chat');
    assert.equal(config.redisUrl, 'redis://:hunter2@redis');
  });

  it('has no white space at its end in a variable either, and neither have issuer and audience', () => {
    const config = readConfig({ JWT_SECRET: `${secret}\n`, JWT_ISSUER: 'https://id.example\n', JWT_AUDIENCE: 'chat \t' });
    assert.deepEqual(config.identity, { mode: 'jwt', key: { secret }, issuer: 'https://id.example', audience: 'chat' });
  });

  const refused: [string, () => Record<string, string>, RegExp][] = [
    [
      'a file that does not exist',
      () => ({ DATABASE_URL_FILE: join(folder, 'nowhere') }),
      /^DATABASE_URL_FILE names \S+nowhere, which .* no such file\.$/,
    ],
    ['a folder', () => ({ JWT_SECRET_FILE: folder }), /^JWT_SECRET_FILE names .* it is a folder\.$/],
    ['an empty file', () => ({ JWT_SECRET_FILE: fileWith('\n') }), /^JWT_SECRET_FILE names .* is empty\.$/],
    [
      'both forms',
      () => ({ JWT_SECRET: secret, JWT_SECRET_FILE: fileWith(secret) }),
      /^JWT_SECRET and JWT_SECRET_FILE are both set: set one of them\.$/,
    ],
    ['a file with a short secret', () => ({ JWT_SECRET_FILE: fileWith('hunter2') }), /^JWT_SECRET must be at least 32 bytes long\.$/],
    ['a secret that is short without its white space', () => ({ JWT_SECRET: `hunter2${' '.repeat(40)}` }), /^JWT_SECRET must be/],
    ['an issuer of white space', () => ({ JWT_SECRET: secret, JWT_ISSUER: ' ' }), /^JWT_ISSUER must not be blank\.$/],
  ];
  for (const [name, env, sentence] of refused) {
    it(`is refused with a sentence: ${name}`, () => {
      const message = refusalOf(env());
      assert.match(message, sentence);
      assert.doesNotMatch(message, /hunter2/);
    });
  }
});
