import { expect, it } from 'vitest';
import { connectionsWithin } from './open-files.ts';

// As Linux writes them (proc_pid_limits(5)).
const limits = (files: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units     \nMax processes             96218                96218                processes \nMax open files            ${files}                20000                files     \nMax locked memory         8388608              8388608              bytes     \n`;

it.each([
  ['1024', 682],
  ['4096', 2_730],
  ['1048576', 12_288],
  ['unlimited', 12_288],
  ['12', 16],
])('%s open files leave room for %i connections', (files, expected) => {
  expect(connectionsWithin(limits(files))).toBe(expected);
});

it('a limit that cannot be read is taken for that of a small machine', () => {
  expect(connectionsWithin(null)).toBe(5_461);
});
