// Settings: defaults, ranges, and errors that name the variable.
import { expect, test } from 'vitest';
import { integer, list, oneOf, required, SettingError, serviceSettings } from './settings.ts';

test('defaults', () => {
  expect(serviceSettings('x', {})).toEqual({ name: 'x', host: '127.0.0.1', port: 0, logLevel: 'info' });
});

test.each([
  ['HTTP_PORT', 'eighty'],
  ['HTTP_PORT', '65536'],
  ['HTTP_PORT', '1.5'],
  ['LOG_LEVEL', 'loud'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => serviceSettings('x', { [name]: value })).toThrow(new RegExp(`^${name} must be`));
});

test('a missing required setting says what it is for', () => {
  expect(() => required({}, 'DATABASE_URL', 'where PostgreSQL is')).toThrow(SettingError);
  expect(() => required({ DATABASE_URL: '' }, 'DATABASE_URL', 'where PostgreSQL is')).toThrow(
    'DATABASE_URL is not set: where PostgreSQL is',
  );
});

test('lists and choices', () => {
  expect(list({ A: ' x, ,y ' }, 'A', [])).toEqual(['x', 'y']);
  expect(list({}, 'A', ['z'])).toEqual(['z']);
  expect(oneOf({}, 'A', 'b', ['b', 'c'])).toBe('b');
  expect(integer({ A: '7' }, 'A', 1, { min: 0, max: 9 })).toBe(7);
});
