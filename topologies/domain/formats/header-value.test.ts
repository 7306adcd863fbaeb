import { expect, test } from 'vitest';
import { refusedHeaderValue } from './header-value.ts';

test.each([['a\r\nbcc: b'], ['a\nb'], ['a\u0000'], ['\u0008'], ['\u001f'], ['\u007f']])(
  '%j is refused',
  (value) => {
    expect(refusedHeaderValue(value)).toBe('holds a line break or another control character');
  },
);

test.each([[''], ['a\tb'], ['ünïcode'], ['\u0080']])('%j is taken', (value) => {
  expect(refusedHeaderValue(value)).toBeNull();
});
