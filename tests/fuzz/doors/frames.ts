// Bytes on a WebSocket below its protocol: frames that are malformed, fragmented, cut off, or of reserved kinds.

import { connect } from 'node:net';
import { pick } from '../../support/random.ts';
import { type Exchange, listenMs } from '../exchange.ts';
import type { Scene } from '../scene.ts';

export function rawFrames(scene: Scene, random: () => number): Exchange {
  const { token, url } = scene.guest();
  const init = frame({
    opcode: 1,
    payload: Buffer.from(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })),
  });
  const frames = Array.from({ length: pick([1, 3, 20], random) }, () => randomFrame(random));
  const bytes = Buffer.concat([...(random() < 0.8 ? [init] : []), ...frames]);
  const sent = random() < 0.7 ? bytes : bytes.subarray(0, Math.floor(random() * bytes.length));
  return {
    what: `frames: ${sent.subarray(0, 1500).toString('base64')}`,
    operations: [],
    run: () => exchangeFrames(url, sent),
  };
}

interface Parts {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly final?: boolean;
  readonly reserved?: number;
  readonly masked?: boolean;
  /** The length that the header claims. */
  readonly length?: number;
}

/** A frame of RFC 6455. It is masked with zeros, so that its payload stays as it is. */
function frame({ opcode, payload, final = true, reserved = 0, masked = true, length = payload.length }: Parts): Buffer {
  const head = [(final ? 0x80 : 0) | (reserved << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (length < 126) head.push(mask | length);
  else if (length < 65_536) head.push(mask | 126, length >> 8, length & 255);
  else {
    const long = Buffer.alloc(8);
    long.writeBigUInt64BE(BigInt(length));
    head.push(mask | 127, ...long);
  }
  return Buffer.concat([Buffer.from(head), Buffer.alloc(masked ? 4 : 0), payload]);
}

function randomFrame(random: () => number): Buffer {
  const payloads = [
    Buffer.from('{"type":"ping"}'),
    Buffer.from('{"id":"1","type":"subscribe","payload":{"query":"{ viewer { id } }"}}'),
    Buffer.alloc(0),
    Buffer.from([255, 254]),
    Buffer.from([3, 232, 120]),
    Buffer.from([0, 1]),
    Buffer.alloc(126, 32),
    Buffer.alloc(70_000, 32),
  ];
  const payload = pick(payloads, random);
  const isOdd = random() < 0.3;
  return frame({
    payload,
    opcode: isOdd ? Math.floor(random() * 16) : pick([0, 1, 1, 2, 8, 9, 9, 10], random),
    final: random() < 0.8,
    reserved: isOdd ? Math.floor(random() * 8) : 0,
    masked: random() < 0.97,
    ...(random() < 0.05 ? { length: pick([0, 65_535, 2 ** 31, 2 ** 52], random) } : {}),
  });
}

async function exchangeFrames(url: string, bytes: Buffer): Promise<string> {
  const { port, host, pathname } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const headers = [
    `GET ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: graphql-transport-ws',
  ];
  // The first frames arrive together with the request.
  socket.write(Buffer.concat([Buffer.from(`${headers.join('\r\n')}\r\n\r\n`), bytes]));
  const timer = setTimeout(() => socket.destroy(), listenMs);
  await closed;
  clearTimeout(timer);
  return text;
}
