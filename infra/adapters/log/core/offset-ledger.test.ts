// Named cases of the offset ledger; the property test beside it covers the rest.
import { expect, it } from 'vitest';
import { OffsetLedger } from './offset-ledger.ts';

it('does not pass an open record', () => {
  const ledger = new OffsetLedger(0);
  ledger.deliver(0, 300);
  expect(ledger.complete(100, 300)).toBe(false);
  expect(ledger.watermark).toBe(0);
  expect(ledger.complete(0, 100)).toBe(true);
  expect(ledger.watermark).toBe(300);
});

it('passes gaps that hold no record', () => {
  const ledger = new OffsetLedger(10);
  ledger.deliver(15, 20);
  expect(ledger.watermark).toBe(15);
  ledger.complete(15, 20);
  ledger.skip(25);
  expect(ledger.watermark).toBe(25);
  expect(ledger.drained).toBe(true);
});

it('drops completions after close, of undelivered records and twice', () => {
  const ledger = new OffsetLedger(0);
  ledger.deliver(0, 10);
  ledger.complete(0, 50);
  expect(ledger.watermark).toBe(10);
  expect(ledger.complete(0, 10)).toBe(false);
  ledger.deliver(10, 20);
  ledger.close();
  expect(ledger.complete(10, 20)).toBe(false);
  expect(ledger.watermark).toBe(10);
});

it('keeps one range per run, not one entry per record', () => {
  const ledger = new OffsetLedger(0);
  ledger.deliver(0, 1_000_001);
  for (let offset = 1; offset <= 1_000_000; offset++) ledger.complete(offset, offset + 1);
  expect(ledger.waitingRanges).toBe(1);
  ledger.complete(0, 1);
  expect(ledger.watermark).toBe(1_000_001);
});
