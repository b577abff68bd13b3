import { describe, expect, it } from 'vitest';
import { BackendMessages } from '../../../sidecar/src/stores/postgres/backend-messages.ts';
import { GarbledError } from '../../../sidecar/src/stores/postgres/errors.ts';

function message(code: string, ...body: readonly (string | readonly number[])[]): Buffer {
  const parts = body.map((part) => (typeof part === 'string' ? Buffer.from(part) : [...part]));
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const head = Buffer.alloc(5);
  head.write(code);
  head.writeUInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

const u32 = (value: number) => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];
const ABOUT_COLUMN = Array<number>(18).fill(0);

/** One of each that a statement, a login or an idle connection is answered with. */
const PROPER: readonly (readonly [string, Buffer])[] = [
  ['login accepted', message('R', u32(0))],
  ['a password is asked for', message('R', u32(5), 'salt')],
  ['mechanisms', message('R', u32(10), 'SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0\0')],
  ['a challenge', message('R', u32(11), 'r=nonce')],
  ['parameter', message('S', 'server_version\0', '15.8\0')],
  ['key', message('K', u32(1), u32(2))],
  ['ready', message('Z', 'I')],
  ['parsed', message('1')],
  ['columns', message('T', [0, 2], 'id\0', ABOUT_COLUMN, 'ts\0', ABOUT_COLUMN)],
  ['row', message('D', [0, 3], u32(2), '42', u32(0xffffffff), u32(0))],
  ['complete', message('C', 'SELECT 1\0')],
  ['error', message('E', 'SERROR\0', 'C57014\0', 'M\0', '\0')],
  ['notice', message('N', 'SWARNING\0', '\0')],
  ['notification', message('A', u32(9), 'channel\0', '\0')],
  ['parameters', message('t', [0, 1], u32(25))],
];

const IMPROPER: readonly (readonly [string, Buffer])[] = [
  ['an error whose field does not end', message('E', 'SERROR')],
  ['an error whose fields do not end', message('E', 'SERROR\0')],
  ['an empty error', message('E')],
  ['an error that goes on behind its end', message('E', 'SERROR\0', '\0', 'more')],
  ['a notice whose text ends in the next message', message('N', 'SWARNING')],
  ['a parameter without a value', message('S', 'server_version\0')],
  ['a parameter with two values', message('S', 'a\0', 'b\0', 'c\0')],
  ['an end without a text', message('C')],
  ['mechanisms without an end', message('R', u32(10), 'SCRAM-SHA-256\0')],
  ['a salt that is short', message('R', u32(5), 's')],
  ['a login without a code', message('R', [0])],
  ['fewer columns than said', message('T', [0, 2], 'id\0', ABOUT_COLUMN)],
  ['a column without a type', message('T', [0, 1], 'id\0')],
  ['fewer values than said', message('D', [0, 2], u32(1), 'x')],
  ['a value beyond its row', message('D', [0, 1], u32(5), 'x')],
  ['a negative number of values', message('D', [255, 255])],
  ['a negative length of a value', message('D', [0, 1], u32(0xfffffffe))],
  ['a copy that nobody asked for', message('G', [0, 0, 0])],
  ['an unknown code', message('!')],
  ['a length that is less than its own', Buffer.from([0x5a, 0, 0, 0, 3])],
  ['a length beyond any', Buffer.from([0x44, 0x7f, 255, 255, 255])],
  ['an HTTP server', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
];

describe('messages of a server', () => {
  it.each(PROPER)('pass: %s', (_, bytes) => {
    expect(new BackendMessages().take(bytes)).toEqual(bytes);
  });

  it.each(IMPROPER)('are refused: %s', (_, bytes) => {
    // What follows must not lend an end to what has none.
    const chunk = Buffer.concat([bytes, message('Z', 'I'), message('C', '\0')]);
    expect(() => new BackendMessages().take(chunk)).toThrow(GarbledError);
  });

  it('are handed on whole, wherever the network cuts them', () => {
    const all = Buffer.concat(PROPER.map(([, bytes]) => bytes));
    for (let size = 1; size < all.length; size++) {
      const messages = new BackendMessages();
      const taken: Buffer[] = [];
      const ends = new Set([0]);
      for (let at = 0; at < all.length; at += size) {
        taken.push(messages.take(all.subarray(at, at + size)));
        ends.add(taken.reduce((sum, { length }) => sum + length, 0));
      }
      expect(Buffer.concat(taken)).toEqual(all);
      let end = 0;
      const whole = new Set([0, ...PROPER.map(([, { length }]) => (end += length))]);
      expect([...ends].filter((at) => !whole.has(at))).toEqual([]);
    }
  });
});
