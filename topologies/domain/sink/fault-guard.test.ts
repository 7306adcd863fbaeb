// The guard between bad events and bad settings.
import { describe, expect, it } from 'vitest';
import { createFaultGuard } from './fault-guard.ts';

const faultsUntilTrip = (guard: { fault(): boolean }, most: number): number => {
  for (let count = 1; count <= most; count++) if (guard.fault()) return count;
  return Number.POSITIVE_INFINITY;
};

describe('fault guard', () => {
  it('trips at 50 refused events in a row', () => {
    expect(faultsUntilTrip(createFaultGuard(), 100)).toBe(50);
  });

  it('a delivery ends a row', () => {
    const guard = createFaultGuard();
    expect(faultsUntilTrip(guard, 49)).toBe(Number.POSITIVE_INFINITY);
    guard.delivered(1);
    expect(faultsUntilTrip(guard, 49)).toBe(Number.POSITIVE_INFINITY);
  });

  it('trips above a fifth of the last 1000, not at it', () => {
    const guard = createFaultGuard();
    let faults = 0;
    let tripped = false;
    while (!tripped) {
      guard.delivered(3);
      tripped = guard.fault();
      faults += 1;
    }
    expect(faults).toBe(201);
  });

  it('one in six for ever does not trip', () => {
    const guard = createFaultGuard();
    for (let round = 0; round < 2000; round++) {
      guard.delivered(5);
      expect(guard.fault()).toBe(false);
    }
  });

  it('old faults leave the window', () => {
    const guard = createFaultGuard();
    for (let round = 0; round < 200; round++) {
      guard.delivered(1);
      expect(guard.fault()).toBe(false);
    }
    guard.delivered(10_000);
    expect(guard.fault()).toBe(false);
  });

  it('after rearming one fault is enough, unless something was delivered before', () => {
    const guard = createFaultGuard();
    faultsUntilTrip(guard, 100);
    guard.rearm();
    expect(guard.fault()).toBe(true);
    guard.rearm();
    guard.delivered(1);
    expect(guard.fault()).toBe(false);
  });
});
