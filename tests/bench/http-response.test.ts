import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readResponse } from '../../bench/load/http-response.ts';

describe('an HTTP response', () => {
  const responses = {
    'with a length': 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"name":"é"}',
    'in chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"name":"\r\n4\r\né"}\r\n0\r\n\r\n',
  };

  for (const [name, text] of Object.entries(responses)) {
    it(`${name} is complete with its last byte, and not before`, () => {
      const bytes = Buffer.from(text);
      for (let end = 0; end < bytes.length; end += 1) assert.equal(readResponse(bytes.subarray(0, end)), undefined, `at ${end}`);
      assert.deepEqual(readResponse(bytes), { status: 200, body: '{"name":"é"}' });
    });
  }

  it('has a status', () => {
    assert.equal(readResponse(Buffer.from('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'))?.status, 503);
  });
});
