// The twins in memory keep the promises of their ports.
import { describe, expect, it } from 'vitest';
import { fakeClock } from './clock.ts';
import { fakeEffects } from './effects.ts';
import { fakeLineLog } from './line-log.ts';
import { fakeMetrics } from './metrics.ts';
import { fakeSecrets } from './secrets.ts';

describe('clock', () => {
  it('wakes sleepers in order, also those that a sleeper starts, and ends at the asked time', async () => {
    const clock = fakeClock(1000);
    const woken: [string, number][] = [];
    const nap = async (name: string, ms: number, again = 0): Promise<void> => {
      await clock.sleep(ms);
      woken.push([name, clock.now()]);
      if (again > 0) await nap(`${name}'`, again);
    };
    void nap('b', 20);
    void nap('a', 10, 5);
    void nap('late', 500);
    await clock.advance(100);
    expect(woken).toEqual([
      ['a', 1010],
      ["a'", 1015],
      ['b', 1020],
    ]);
    expect([clock.now(), clock.sleepers()]).toEqual([1100, 1]);
  });

  it('rejects a sleep whose signal aborts', async () => {
    const clock = fakeClock();
    const controller = new AbortController();
    const sleep = clock.sleep(10, controller.signal);
    controller.abort(new Error('stop'));
    await expect(sleep).rejects.toThrow('stop');
    await expect(clock.sleep(1, controller.signal)).rejects.toThrow('stop');
    expect(clock.sleepers()).toBe(0);
  });
});

describe('effects', () => {
  it('is fresh, uncertain, finished; the first outcome stays; a released mark is fresh again', async () => {
    const effects = fakeEffects();
    expect(await effects.begin('a', 1)).toEqual({ state: 'fresh' });
    expect(await effects.begin('a', 2)).toEqual({ state: 'uncertain', begunAt: 1 });
    await effects.release('a');
    expect(await effects.begin('a', 3)).toEqual({ state: 'fresh' });
    await effects.finish('a', { status: 'done', ref: 'one' }, 4);
    await effects.finish('a', { status: 'done', ref: 'two' }, 5);
    await effects.release('a');
    expect(await effects.begin('a', 6)).toEqual({
      state: 'finished',
      outcome: { status: 'done', ref: 'one' },
    });
  });
});

it('the line log refuses line breaks inside a line', async () => {
  await expect(fakeLineLog().append(['a\nb'])).rejects.toThrow(TypeError);
});

it('metrics add up by label', () => {
  const metrics = fakeMetrics();
  metrics.count('n', { a: '1', b: 'x' });
  metrics.count('n', { a: '2' }, 3);
  metrics.gauge('g', 5, { a: '1' });
  expect([metrics.total('n'), metrics.total('n', { a: '1' }), metrics.value('g', { a: '1' })]).toEqual([
    4, 1, 5,
  ]);
});

it('secrets are found by reference and do not print themselves', async () => {
  const secrets = fakeSecrets({ TOKEN: 'hidden' });
  const value = await secrets.resolve({ env: 'TOKEN' });
  expect([value.reveal(), `${value}`, JSON.stringify({ value })]).toEqual([
    'hidden',
    '[secret]',
    '{"value":"[secret]"}',
  ]);
  await expect(secrets.resolve({ secret: 'none' })).rejects.toThrow('none');
});
