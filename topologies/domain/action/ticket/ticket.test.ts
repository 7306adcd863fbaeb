// Parts that all ticket actions share: marks, pointers, and values in fields.
import { describe, expect, it } from 'vitest';
import { eventCommand } from '../../../testing/fixtures.ts';
import { commandMark, fingerprintMark } from './mark.ts';
import { atPointer } from './read.ts';
import { plainLeaves } from './render.ts';

describe('marks', () => {
  it('are words of letters and digits, short enough for an index', () => {
    for (const mark of [commandMark(eventCommand()), fingerprintMark(eventCommand(), '" OR 1=1 \u0000')])
      expect(mark).toMatch(/^[a-z][a-z0-9]{30,48}$/);
  });

  it('differ by key and by tenant, not by command', () => {
    const one = eventCommand();
    const other = { ...one, command_id: 'f'.repeat(32) };
    expect(fingerprintMark(one, 'k')).toBe(fingerprintMark(other, 'k'));
    expect(fingerprintMark(one, 'k')).not.toBe(fingerprintMark(one, 'K'));
    expect(fingerprintMark({ ...one, tenant: 'a' }, 'k')).not.toBe(
      fingerprintMark({ ...one, tenant: 'b' }, 'k'),
    );
    expect(fingerprintMark({ ...one, tenant: 'a' }, '')).not.toBe(fingerprintMark(one, 'a'));
    expect(commandMark(one)).not.toBe(commandMark(other));
  });
});

// The examples of RFC 6901, section 5.
const document = { foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'm~n': 8, ' ': 7 };
it.each([
  ['', document],
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/m~0n', 8],
  ['/ ', 7],
  ['/foo/01', undefined],
  ['/foo/-', undefined],
  ['/foo/length', undefined],
  ['/constructor', undefined],
  ['/foo/0/0', undefined],
])('pointer %j', (pointer, value) => {
  expect(atPointer(document, pointer)).toEqual(value);
});

it('makes text of the objects that values brought, and leaves those of the author', () => {
  expect(
    plainLeaves({ a: '{{x}}', b: { c: ['{{y}}', 1] } }, { a: { x: 1 }, b: { c: [[{ y: 2 }], 1] } }),
  ).toEqual({
    a: '{"x":1}',
    b: { c: ['[{"y":2}]', 1] },
  });
});
