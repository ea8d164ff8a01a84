// An nginx for tests, from the PATH or from Debian's package, in front of a server, over HTTP and over HTTPS with a certificate of
// its own. The settings are those that docs/operations.md names, and otherwise the defaults of nginx.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, run, start, until } from './process.ts';
import { findProgram } from './programs.ts';

export interface Nginx extends AsyncDisposable {
  readonly httpOrigin: string;
  readonly httpsOrigin: string;
}

/** `path` is passed on as it is to the server at `upstreamPort`. */
export async function startNginx(upstreamPort: number, path: string): Promise<Nginx> {
  const command = await findProgram(['nginx'], 'nginx');
  const folder = mkdtempSync(join(tmpdir(), 'gapless-nginx-'));
  const [httpPort, httpsPort] = [await freePort(), await freePort()];
  const certificate = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', 'key.pem', '-out', 'cert.pem'];
  await run('openssl', certificate, { cwd: folder });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`);
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
pid ${folder}/pid;
error_log stderr;
worker_processes 1;
events {}
http {
  access_log off;
  ${temporary.join('\n  ')}
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:${httpPort};
    listen 127.0.0.1:${httpsPort} ssl;
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
    location ${path} {
      proxy_pass http://127.0.0.1:${upstreamPort};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`,
  );
  const program = start(command, ['-e', 'stderr', '-p', folder, '-c', file]);
  await until('nginx answers', () => {
    if (!program.running) throw new Error(`nginx did not start:\n${program.output()}`);
    return accepts(httpsPort);
  });
  return {
    httpOrigin: `http://localhost:${httpPort}`,
    httpsOrigin: `https://localhost:${httpsPort}`,
    async [Symbol.asyncDispose]() {
      // SIGTERM has the master end its workers.
      await program.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
