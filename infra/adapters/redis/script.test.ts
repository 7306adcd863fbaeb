import { expect, it } from 'vitest';
import { createScript } from './script.ts';

const lua = 'return redis.call("GET", KEYS[1])';
// From sha1sum.
const digest = 'd1ad8397c172dc0a63e271f0c4c4250ca8d5d1fb';

function redisThat(answer: (command: string) => Promise<unknown>) {
  const sent: unknown[][] = [];
  const take =
    (command: string) =>
    (...given: unknown[]) => {
      sent.push([command, ...given]);
      return answer(command);
    };
  return { sent, redis: { evalsha: take('evalsha'), eval: take('eval') } as never };
}

it('is named by its digest', async () => {
  const { sent, redis } = redisThat(async () => 'held');
  expect(await createScript(redis, lua)(['k'], ['a', 'b'])).toBe('held');
  expect(sent).toEqual([['evalsha', digest, 1, 'k', 'a', 'b']]);
});

it('is sent where it is not known', async () => {
  // The text of Redis' own error.
  const { sent, redis } = redisThat(async (command) => {
    if (command === 'evalsha') throw new Error('NOSCRIPT No matching script. Please use EVAL.');
    return 'held';
  });
  expect(await createScript(redis, lua)(['k'], ['a'])).toBe('held');
  expect(sent).toEqual([
    ['evalsha', digest, 1, 'k', 'a'],
    ['eval', lua, 1, 'k', 'a'],
  ]);
});

it('is not sent again after any other failure: it may have run', async () => {
  const { sent, redis } = redisThat(() => Promise.reject(new Error('Command timed out')));
  await expect(createScript(redis, lua)(['k'], [])).rejects.toThrow('Command timed out');
  expect(sent).toHaveLength(1);
});
