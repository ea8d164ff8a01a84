import assert from 'node:assert/strict';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { rateLimitSettings } from '../src/config/rate-limits.ts';
import { readConfig, settingNames } from '../src/config.ts';
import { freePort, run, start, until } from './support/process.ts';

const root = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

interface Image {
  readonly folder: string;
  workdir: string;
  readonly env: Record<string, string>;
  command: string[];
  health: string[];
}

/** What npm would ask the registry about, or remember, beside the installation. */
const quickNpm = {
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  npm_config_prefer_offline: 'true',
};

/** Executes the steps of a Dockerfile, with a folder as the file system of each stage. Returns the last stage. */
async function replay(dockerfile: string, base: string): Promise<Image> {
  const stages = new Map<string, Image>();
  let image: Image | undefined;
  for (const line of dockerfile.split('\n').filter((text) => text !== '' && !text.startsWith('#'))) {
    const [instruction = '', ...words] = line.split(' ');
    const rest = words.join(' ');
    if (instruction === 'FROM') {
      const name = words[2] ?? `stage-${stages.size}`;
      image = { folder: join(base, name), workdir: '/', env: {}, command: [], health: [] };
      stages.set(name, image);
      continue;
    }
    if (!image) throw new Error('A Dockerfile begins with FROM.');
    const within = (path: string) => join((image as Image).folder, path.startsWith('/') ? path : join((image as Image).workdir, path));
    switch (instruction) {
      case 'WORKDIR':
        image.workdir = rest;
        mkdirSync(within('.'), { recursive: true });
        break;
      case 'ENV':
        for (const pair of words) image.env[pair.slice(0, pair.indexOf('='))] = pair.slice(pair.indexOf('=') + 1);
        break;
      case 'COPY': {
        const [, stage] = /^--from=(.*)$/.exec(words[0] ?? '') ?? [];
        const from = stage === undefined ? root : (stages.get(stage) as Image).folder;
        const paths = stage === undefined ? words : words.slice(1);
        const to = within(paths.at(-1) as string);
        for (const path of paths.slice(0, -1)) {
          const target = paths.at(-1)?.endsWith('/') ? join(to, path) : to;
          mkdirSync(dirname(target), { recursive: true });
          if (stage === undefined) cpSync(join(from, path), target, { recursive: true, verbatimSymlinks: true });
          // A stage is finished, and nothing changes its files, so that links to them are as good as copies.
          else await run('cp', ['-alT', join(from, path), target]);
        }
        break;
      }
      case 'RUN':
        if (rest === 'npm ci') {
          // What this checkout was installed from, so that it is there already. `npm ci --omit=dev` is not.
          symlinkSync(realpathSync(join(root, 'node_modules')), within('node_modules'));
          break;
        }
        await run('sh', ['-c', rest], { cwd: within('.'), env: { ...process.env, ...quickNpm, ...image.env } });
        break;
      case 'HEALTHCHECK':
        image.health = JSON.parse(rest.slice(rest.indexOf('CMD ') + 4)) as string[];
        break;
      case 'CMD':
        image.command = JSON.parse(rest) as string[];
        break;
      case 'USER':
      case 'VOLUME':
      case 'EXPOSE':
        break;
      default:
        throw new Error(`The replay does not know ${instruction}.`);
    }
  }
  return image as Image;
}

describe('the image', () => {
  it('serves the web chat, passes its health check, and stops on SIGTERM', async () => {
    const base = mkdtempSync(join(tmpdir(), 'gapless-image-'));
    try {
      const image = await replay(read('Dockerfile'), base);
      const cwd = join(image.folder, image.workdir);
      const env = { PATH: process.env['PATH'], ...image.env, HOST: '127.0.0.1', PORT: String(await freePort()), DRAIN_DELAY_MS: '0' };
      const [command = '', ...args] = image.command;
      const server = start(command, args, { cwd, env });
      const [check = '', ...checkArgs] = image.health;
      await until(
        `the image is healthy:\n${server.output()}`,
        async () => (await start(check, checkArgs, { cwd, env }).exited) === 0,
        60_000,
      );
      assert.match(await (await fetch(`http://127.0.0.1:${env.PORT}/`)).text(), /<html.*data-identity="guest"/, 'the web chat is served');
      assert.equal(await server.stop('SIGTERM'), 0, server.output());
      assert.notEqual(await start(check, checkArgs, { cwd, env }).exited, 0);
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  });
});

describe('the build context', () => {
  it('has everything that the Dockerfile copies', () => {
    const sent = read('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    const copied = read('Dockerfile')
      .split('\n')
      .filter((line) => /^COPY (?!--from)/.test(line));
    const paths = copied.flatMap((line) => line.split(' ').slice(1, -1));
    assert.ok(paths.length > 0);
    for (const path of paths)
      assert.ok(
        sent.some((each) => path === each || path.startsWith(`${each}/`)),
        path,
      );
  });
});

describe('the documents', () => {
  it('name every setting in the README, and no other', () => {
    const table = [...read('README.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name);
    const others = settingNames.filter((name) => !rateLimitSettings.includes(name));
    assert.deepEqual(table.toSorted(), others.toSorted());
  });

  it('name every rate limit in the operations guide, with its default', () => {
    const table = [...read('docs/operations.md').matchAll(/^\| `(RATE_LIMIT_[A-Z_]+)` \| (\S+) \|/gm)].map(([, name, value]) => [
      name,
      value,
    ]);
    assert.deepEqual(
      table.map(([name]) => name),
      rateLimitSettings,
    );
    // Every row is a setting that changes nothing.
    assert.deepEqual(readConfig(Object.fromEntries(table)).limits, readConfig({}).limits);
  });

  it('set only known settings in compose.yaml', () => {
    const nodes = read('compose.yaml').split('services:')[0] ?? '';
    const names = [...nodes.matchAll(/^ {4}([A-Z_]+):/gm)].map(([, name]) => name as string);
    assert.ok(names.length > 0);
    assert.deepEqual(
      names.filter((name) => !settingNames.includes(name)),
      [],
    );
  });

  it('link to existing files', () => {
    for (const page of globSync(['*.md', 'docs/*.md', 'docs/decisions/*.md'], { cwd: root })) {
      for (const [, link = ''] of read(page).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
        assert.ok(existsSync(join(root, dirname(page), link)), `${page}: ${link}`);
      }
    }
  });
});
