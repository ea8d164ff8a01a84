// Parses an HTTP/1.1 response (RFC 9112), with Content-Length or chunked.

export interface Response {
  readonly status: number;
  readonly body: string;
}

/** The response in these bytes. Undefined if it is not complete. */
export function readResponse(bytes: Buffer): Response | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const start = end + 4;
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  const body = length === undefined ? readChunks(bytes, start) : readBytes(bytes, start, Number(length));
  return body === undefined ? undefined : { status: Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)), body };
}

const readBytes = (bytes: Buffer, start: number, length: number) =>
  bytes.length < start + length ? undefined : bytes.toString('utf8', start, start + length);

function readChunks(bytes: Buffer, start: number): string | undefined {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return Buffer.concat(parts).toString();
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
