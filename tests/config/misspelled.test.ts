// Variables whose names look like a setting.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, findMisspelledSettings, readConfig } from '../../src/config.ts';

describe('a variable that is no setting', () => {
  const meant: Record<string, string> = {
    DATABSE_URL: 'DATABASE_URL',
    DATABASE_URI: 'DATABASE_URL',
    DATABASEURL: 'DATABASE_URL',
    database_url: 'DATABASE_URL',
    DATABASE_URL_FIEL: 'DATABASE_URL_FILE',
    REIDS_URL: 'REDIS_URL',
    JWT_SECRTE: 'JWT_SECRET',
    ALLOWED_ORIGIN: 'ALLOWED_ORIGINS',
    IDENTIY: 'IDENTITY',
    RETENTION_DAY: 'RETENTION_DAYS',
  };
  for (const [name, setting] of Object.entries(meant)) {
    it(`is recognised as ${setting}: ${name}`, () => {
      assert.deepEqual(findMisspelledSettings({ [name]: 'x' }), [{ name, setting }]);
    });
  }

  it('is not reported if it resembles none', () => {
    const others = [
      'PATH',
      'HOME',
      'HOSTNAME',
      'POST',
      'PORTS',
      'SHLVL',
      'PWD',
      'LANG',
      'DATABASE_NAME',
      'PGHOST',
      'NODE_ENV',
      'JWT_KEY',
      'LOGNAME',
      'DATA_DIRECTORY',
    ];
    assert.deepEqual(findMisspelledSettings(Object.fromEntries(others.map((name) => [name, 'x']))), []);
  });

  it('is not reported if the setting that it resembles is set, or if it is empty', () => {
    assert.deepEqual(findMisspelledSettings({ DATABASE_URL: 'postgres://db', DATABASE_URI: 'postgres://db' }), []);
    assert.deepEqual(findMisspelledSettings({ DATABSE_URL: '' }), []);
  });

  for (const name of ['DATABSE_URL', 'DATABASE_URL_FIEL', 'Database_Url']) {
    it(`refuses the embedded database if it resembles the setting that replaces it: ${name}`, () => {
      assert.throws(
        () => readConfig({ [name]: 'postgres://ada:hunter2@db/chat' }),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.match(error.message, new RegExp(`^${name} is not a setting: rename it to DATABASE_URL(_FILE)?, or unset it\\.$`));
          return true;
        },
      );
    });
  }

  it('does not refuse PostgreSQL', () => {
    readConfig({ DATABASE_URL: 'postgres://db', DATABSE_URL: 'postgres://db', IDENTITY: 'guest' });
  });
});
