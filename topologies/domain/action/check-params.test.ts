// What is remembered of parameters must never let anything through that the checks would refuse.
import type { Command } from '@tocsin/schemas/types.ts';
import { expect, it, vi } from 'vitest';
import { checked } from './check-params.ts';
import type { Action, ActionContext } from './define-action.ts';

const context = { connection: null } as unknown as ActionContext;

function actionThat(check: Action['check']) {
  const asked = vi.fn(check);
  const params = { type: 'object', properties: { text: { type: 'string', minLength: 1 } } } as const;
  const action = checked({
    manifest: { params } as unknown as Action['manifest'],
    check: asked,
    preview: () => ({ status: 'done' }),
    execute: async () => ({ status: 'done' }),
  });
  const run = (given: Record<string, unknown>) =>
    action.execute({ params: given } as unknown as Command, context).then(({ status }) => status);
  return { asked, run };
}

it('parameters that fit are checked once, others every time', async () => {
  const { asked, run } = actionThat(({ text }) =>
    text === 'bad' ? [{ path: '/text', message: 'is bad' }] : [],
  );
  for (let n = 0; n < 3; n += 1) {
    expect(await run({ text: 'good' })).toBe('done');
    expect(await run({ text: 'bad' })).toBe('failed');
    expect(await run({ text: '' })).toBe('failed');
  }
  expect(asked.mock.calls.map(([{ text }]) => text)).toEqual(['good', 'bad', 'bad', 'bad']);
});

it('remembers no long ones, and forgets the oldest of many', async () => {
  const { asked, run } = actionThat(() => []);
  const long = { text: 'x'.repeat(17_000) };
  await run(long);
  await run(long);
  expect(asked).toHaveBeenCalledTimes(2);
  for (let n = 0; n <= 1_000; n += 1) await run({ text: `t${n}` });
  asked.mockClear();
  await run({ text: 't1' });
  await run({ text: 't0' });
  expect(asked.mock.calls.map(([{ text }]) => text)).toEqual(['t0']);
});
