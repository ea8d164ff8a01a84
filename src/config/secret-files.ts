// Secrets that are read from files, as orchestrators provide them: JWT_SECRET_FILE names a file with the value of JWT_SECRET.

import { readFileSync } from 'node:fs';
import { ConfigError } from './error.ts';

type Env = Readonly<Record<string, string | undefined>>;

export const fileSetting = <Name extends string>(name: Name) => `${name}_FILE` as const;

/**
 * The environment with the values of the files for `names`, which are the names of settings. Editors and `echo` end a file
 * with a line break, and so white space at its end is not part of the value.
 */
export function readSecretFiles(env: Env, names: readonly string[]): Env {
  const read = { ...env };
  for (const name of names) {
    const variable = fileSetting(name);
    const path = env[variable] ?? '';
    if (path === '') continue;
    if ((env[name] ?? '') !== '') throw new ConfigError(`${name} and ${variable} are both set: set one of them.`);
    const value = readFile(variable, path).trimEnd();
    if (value === '') throw new ConfigError(`${variable} names ${path}, which is empty.`);
    read[name] = value;
  }
  return read;
}

function readFile(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(`${variable} names ${path}, which cannot be read: ${reasons[code ?? ''] ?? code}.`);
  }
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
};
