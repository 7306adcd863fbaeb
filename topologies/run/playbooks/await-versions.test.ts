// Versions that are not known yet: waited for, for so long, and once.
import { describe, expect, test } from 'vitest';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { fakeLogger } from '../../ports/fakes/logger.ts';
import { createAwaitVersions, type KnownVersions } from './await-versions.ts';

const one = { playbook: 'p', revision: 1 };
const two = { playbook: 'p', revision: 2 };

function setUp(catchUp: (known: Set<string>) => void = () => undefined) {
  const clock = fakeClock(1_000_000);
  const logger = fakeLogger();
  const known = new Set<string>();
  let looks = 0;
  const versions: KnownVersions = {
    definitions: () => null,
    has: (playbook, revision) => known.has(`${playbook}@${revision}`),
    catchUp: async () => {
      looks += 1;
      catchUp(known);
    },
  };
  const wait = createAwaitVersions({ versions, clock, logger });
  const gone = new AbortController();
  const waited = (wanted: (typeof one)[]): (() => number | null) => {
    const began = clock.now();
    let took: number | null = null;
    void wait(wanted, gone.signal).then(
      () => {
        took = clock.now() - began;
      },
      () => {
        took = -1;
      },
    );
    return () => took;
  };
  return { clock, logger, known, waited, gone, looks: () => looks };
}

describe('versions', () => {
  test('that are known are not waited for, nor looked for', async () => {
    const { waited, known, clock, looks } = setUp();
    known.add('p@1');
    const took = waited([one, one]);
    await clock.advance(0);
    expect([took(), looks()]).toEqual([0, 0]);
  });

  test('that are in the topic already are there after one look', async () => {
    const { waited, clock } = setUp((known) => known.add('p@1'));
    const took = waited([one]);
    await clock.advance(0);
    expect(took()).toBe(0);
  });

  test('that come later are waited for', async () => {
    const { waited, clock, known } = setUp();
    known.add('p@1');
    const took = waited([one, two]);
    await clock.advance(7_000);
    expect(took()).toBeNull();
    known.add('p@2');
    await clock.advance(1_000);
    expect(took()).toBeLessThanOrEqual(7_500);
  });

  test('that never come hold their partition for half a minute, once in ten minutes', async () => {
    const { waited, clock, logger } = setUp();
    const first = waited([one]);
    await clock.advance(29_000);
    expect(first()).toBeNull();
    await clock.advance(2_000);
    expect(first()).toBe(30_000);
    expect(logger.entries.filter(({ level }) => level === 'error')).toHaveLength(1);
    const second = waited([one]);
    await clock.advance(0);
    expect(second()).toBe(0);
    const other = waited([one, two]);
    await clock.advance(31_000);
    expect(other()).toBe(30_000);
    await clock.advance(600_000);
    const again = waited([one]);
    await clock.advance(10_000);
    expect(again()).toBeNull();
  });

  test('are waited for also while their topic cannot be read', async () => {
    let away = true;
    const { waited, clock, logger } = setUp((known) => {
      if (away) throw new Error('brokers are away');
      known.add('p@1');
    });
    const took = waited([one]);
    await clock.advance(3_000);
    expect(took()).toBeNull();
    away = false;
    await clock.advance(1_000);
    expect(took()).toBeLessThanOrEqual(3_500);
    expect(logger.entries.some(({ level }) => level === 'warn')).toBe(true);
  });

  test('are not waited for when the partition is gone', async () => {
    const { waited, clock, gone } = setUp();
    const took = waited([one]);
    await clock.advance(1_000);
    gone.abort(new Error('revoked'));
    await clock.advance(0);
    expect(took()).toBe(-1);
  });
});
