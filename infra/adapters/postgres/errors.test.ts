// The line between "wait" and "report": SQLSTATEs from the PostgreSQL manual, appendix A.
import { expect, it } from 'vitest';
import { isUnavailable, StoreUnavailable, sqlState } from './errors.ts';

const coded = (code: string) => Object.assign(new Error('x'), { code });

it.each([
  '57P01',
  '57P03',
  '08006',
  '08001',
  '53300',
  '57014',
  '55P03',
  '40P01',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
])('%s: wait', (code) => expect(isUnavailable(coded(code))).toBe(true));
it.each(['23505', '42P01', '22P05', '23001', '28P01', 'ENOENT', 'ERR_INVALID_ARG_TYPE'])(
  '%s: report',
  (code) => expect(isUnavailable(coded(code))).toBe(false),
);
it('knows the failures that pg gives no code, and several at once', () => {
  expect(isUnavailable(new Error('Connection terminated unexpectedly'))).toBe(true);
  expect(isUnavailable(new Error('timeout exceeded when trying to connect'))).toBe(true);
  expect(isUnavailable(new StoreUnavailable('x'))).toBe(true);
  expect(isUnavailable(new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]))).toBe(true);
  expect(isUnavailable(new TypeError('x is not a function'))).toBe(false);
  expect(sqlState(coded('23505'))).toBe('23505');
  expect(sqlState(coded('ECONNREFUSED'))).toBe('');
});
