// Slow clients: who waits, who goes back to the log, who is closed.
import { expect, it } from 'vitest';
import { nextStep } from './pace.ts';

const pace = { pendingBytes: 0, boundBytes: 1_000, blockedMs: 0, stallMs: 30_000, behind: false };

it.each([
  ['an empty socket is written to', {}, 'write'],
  ['below the bound too', { pendingBytes: 999 }, 'write'],
  ['a full one waits', { pendingBytes: 1_000 }, 'wait'],
  [
    'a full one waits although it is behind: it has no room for what would be read',
    { pendingBytes: 1_000, behind: true },
    'wait',
  ],
  ['one with room that is behind goes back to the log', { behind: true }, 'catch-up'],
  ['one that takes nothing waits until the time is over', { pendingBytes: 1, blockedMs: 29_999 }, 'write'],
  ['then it is closed, full or not', { pendingBytes: 1, blockedMs: 30_000 }, 'close'],
  ['and full', { pendingBytes: 5_000, blockedMs: 30_000, behind: true }, 'close'],
  ['one to which nothing was written takes nothing and is no slow client', { blockedMs: 90_000 }, 'write'],
] as const)('%s', (_, change, step) => {
  expect(nextStep({ ...pace, ...change })).toBe(step);
});
