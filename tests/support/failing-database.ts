// A proxy in front of PostgreSQL that simulates failures on the wire protocol
// (https://www.postgresql.org/docs/current/protocol-flow.html). The server under test gets real errors from its real driver.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { listenOn } from './process.ts';

/** How the database fails: new connections and statements are answered with an error, or the sockets misbehave. */
export type Failure =
  | { readonly kind: 'refuses connections'; readonly sqlState: string }
  | { readonly kind: 'fails statements'; readonly sqlState: string }
  | { readonly kind: 'closes' | 'resets' | 'answers garbage' };

export class FailingDatabase implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #failure: Failure | undefined;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async open(databaseUrl: string): Promise<FailingDatabase> {
    const target = new URL(databaseUrl);
    const server = createServer((client) => proxy.#accept(client, target));
    const url = new URL(databaseUrl);
    url.hostname = '127.0.0.1';
    url.port = String(await listenOn(server));
    const proxy = new FailingDatabase(server, url.href);
    return proxy;
  }

  /** Starts to fail. An open transaction still completes, unless the failure concerns sockets. */
  fail(failure: Failure): void {
    this.#failure = failure;
    if (failure.kind !== 'fails statements') for (const connection of this.#connections) connection.end(failure);
  }

  heal(): void {
    this.#failure = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const connection of this.#connections) connection.end({ kind: 'closes' });
  }

  #accept(client: Socket, target: URL): void {
    const connection = new Connection(client, target, () => this.#failure);
    this.#connections.add(connection);
    client.once('close', () => this.#connections.delete(connection));
  }
}

class Connection {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #failure: () => Failure | undefined;
  #pending: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #started = false;
  /** The status of the newest ReadyForQuery. `I` means outside of a transaction. */
  #status = 'I';
  /** Statements that were forwarded and not answered yet. */
  #underWay = 0;

  constructor(client: Socket, target: URL, failure: () => Failure | undefined) {
    this.#client = client;
    this.#failure = failure;
    this.#upstream = connect({ host: target.hostname, port: Number(target.port || 5432) });
    const close = () => {
      client.destroy();
      this.#upstream.destroy();
    };
    for (const socket of [client, this.#upstream]) socket.on('error', close).on('close', close);
    client.on('data', (data) => this.#fromClient(data));
    let answers: Buffer<ArrayBufferLike> = Buffer.alloc(0);
    this.#upstream.on('data', (data) => {
      answers = Buffer.concat([answers, data]);
      for (let length = lengthOf(answers); length !== undefined; length = lengthOf(answers)) {
        if (answers[0] === 'Z'.charCodeAt(0)) {
          this.#status = String.fromCharCode(answers[5] as number);
          this.#underWay = Math.max(0, this.#underWay - 1);
        }
        client.write(answers.subarray(0, length));
        answers = answers.subarray(length);
      }
    });
  }

  end({ kind }: Pick<Failure, 'kind'>): void {
    if (kind === 'answers garbage') this.#client.write(Buffer.from('\xff\x00\x01garbage', 'latin1'));
    if (kind === 'resets') this.#client.resetAndDestroy();
    else this.#client.end();
    this.#upstream.destroy();
  }

  #fromClient(data: Buffer): void {
    const failure = this.#failure();
    if (!this.#started) {
      if (failure && this.#refuse(failure)) return;
      // A startup message has no type byte, so it is forwarded unparsed.
      this.#started = true;
      this.#upstream.write(data);
      return;
    }
    this.#pending = Buffer.concat([this.#pending, data]);
    let batch: Buffer[] = [];
    for (let length = lengthOf(this.#pending); length !== undefined; length = lengthOf(this.#pending)) {
      const message = this.#pending.subarray(0, length);
      this.#pending = this.#pending.subarray(length);
      batch.push(message);
      // The server answers Q (Query) and S (Sync) with ReadyForQuery.
      if (!'QS'.includes(String.fromCharCode(message[0] as number))) continue;
      this.#statement(batch, failure);
      batch = [];
    }
    if (batch.length > 0) this.#pending = Buffer.concat([...batch, this.#pending]);
  }

  #statement(messages: readonly Buffer[], failure: Failure | undefined): void {
    const isOutside = this.#status === 'I' && this.#underWay === 0;
    if (failure?.kind === 'fails statements' && isOutside) {
      this.#client.write(Buffer.concat([errorResponse(failure.sqlState), Buffer.from('Z\0\0\0\x05I', 'latin1')]));
    } else {
      this.#underWay += 1;
      for (const message of messages) this.#upstream.write(message);
    }
  }

  /** Ends a new connection if the failure concerns new connections. Returns whether it does. */
  #refuse(failure: Failure): boolean {
    if (failure.kind === 'fails statements') return false;
    if (failure.kind === 'refuses connections') this.#client.write(errorResponse(failure.sqlState));
    this.end(failure);
    return true;
  }
}

/** The length of the first message, if it is complete. */
function lengthOf(buffer: Buffer): number | undefined {
  if (buffer.length < 5) return undefined;
  const length = 1 + buffer.readInt32BE(1);
  return buffer.length < length ? undefined : length;
}

function errorResponse(sqlState: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${sqlState}\0Mmade to fail with ${sqlState}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(4 + fields.length, 1);
  return Buffer.concat([head, fields]);
}
