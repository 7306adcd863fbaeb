import { getEventListeners } from 'node:events';
import { expect, it, vi } from 'vitest';
import { onAbort } from './aborts.ts';

it('calls everybody once, with one listener for all', () => {
  const { signal, ...controller } = controllerOf();
  const called = [vi.fn(), vi.fn(), vi.fn()];
  const [, takeBack] = called.map((each) => onAbort(signal, each));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  takeBack!();
  controller.abort();
  controller.abort();
  expect(called.map((each) => each.mock.calls.length)).toEqual([1, 0, 1]);
});

it('leaves no listener when nobody waits, and listens again for the next', () => {
  const { signal, abort } = controllerOf();
  const first = onAbort(signal, () => {});
  first();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  const second = vi.fn();
  onAbort(signal, second);
  first();
  abort();
  expect(second).toHaveBeenCalledTimes(1);
});

function controllerOf(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
