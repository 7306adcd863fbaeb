// Octet-counted messages as RFC 6587 3.4.1 writes them, in whatever pieces they arrive.
import { expect, test } from 'vitest';
import { createOctetReader } from './octet-counting.ts';

function read(pieces: readonly string[]): { messages: (string | null)[]; rest: number } {
  const messages: (string | null)[] = [];
  const reader = createOctetReader((message) => messages.push(message === null ? null : String(message)));
  for (const piece of pieces) reader.add(Buffer.from(piece));
  return { messages, rest: reader.rest() };
}

// é is two bytes: the second message has 12.
const stream = '5 <1>ab12 <34>1 - - é';

test('whole, and byte by byte', () => {
  const expected = { messages: ['<1>ab', '<34>1 - - é'], rest: 0 };
  expect(read([stream])).toEqual(expected);
  const bytes = [...Buffer.from(stream)].map((byte) => Buffer.from([byte]));
  const messages: string[] = [];
  const reader = createOctetReader((message) => messages.push(String(message)));
  for (const byte of bytes) reader.add(byte);
  expect(messages).toEqual(expected.messages);
});

test('what is cut off stays as the rest, and a count without a space is no message', () => {
  expect(read(['5 <1>ab9 <1>'])).toEqual({ messages: ['<1>ab'], rest: 5 });
  expect(read(['2xab2 cd'])).toEqual({ messages: [null, 'cd'], rest: 0 });
});
