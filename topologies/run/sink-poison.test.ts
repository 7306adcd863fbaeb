// Records that never reach the receiver, and Avro.
import { describe, expect, it } from 'vitest';
import { assignmentOf, batchOf } from '../testing/batches.ts';
import { setup, sorted, value } from '../testing/sink-kit.ts';
import type { DecodeValue } from './sink-fill.ts';

describe('what never reaches the receiver', () => {
  const poison: [string, Buffer | string][] = [
    ['json_syntax', '{"n":1},{"event":{"n":666}}'],
    ['not_object', '1},{"event":"x"'],
    ['json_syntax', '{"severity":"crit'],
    ['utf8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['depth', `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
    ['empty', ''],
    ['not_object', 'null'],
    ['too_large', JSON.stringify({ a: 'x'.repeat(2_000_000) })],
    ['no_registry', Buffer.from([0, 0, 0, 0, 1, 7])],
    ['avro_frame', Buffer.from([0, 0, 1])],
  ];

  it.each(poison)('%s is dead-lettered with its bytes; its neighbours are stored', async (reason, bytes) => {
    const { target, clock, onBatch, letters, letterOf } = setup();
    const assignment = assignmentOf();
    await onBatch(batchOf([value(0), bytes, value(2)]), assignment);
    await clock.advance(1000);
    expect(target.stored).toEqual([0, 2]);
    expect(letters).toHaveLength(1);
    expect(letterOf(0)).toMatchObject({
      'x-dlq-class': 'input',
      'x-dlq-reason': reason,
      'x-dlq-source': 'findings.v1/0/1',
    });
    const kept = Buffer.from(bytes as string).subarray(0, reason === 'too_large' ? 64 * 1024 : undefined);
    expect(Buffer.compare(letters[0]!.value as Buffer, kept)).toBe(0);
    expect(assignment.watermark()).toBe(3);
  });

  it('a whole batch of poison completes, and the sink does not pause', async () => {
    const { clock, onBatch, letters, runner } = setup();
    const assignment = assignmentOf();
    await onBatch(batchOf(Array.from({ length: 1000 }, () => '{')), assignment);
    await clock.advance(0);
    expect(letters).toHaveLength(1000);
    expect(assignment.watermark()).toBe(1000);
    expect(runner.paused()).toBeNull();
  });

  it('null values are counted and complete; so do filtered events', async () => {
    const { target, clock, onBatch, metrics, letters } = setup({ filters: { events: ['keep'] } });
    const assignment = assignmentOf();
    const drop = value(9, { event: 'drop' });
    await onBatch(batchOf([null, drop, value(2, { event: 'keep' }), drop, null, drop]), assignment);
    await clock.advance(0);
    expect(target.stored).toEqual([2]);
    expect(assignment.watermark()).toBe(6);
    expect(letters).toEqual([]);
    const count = (outcome: string): number => metrics.total('tocsin_sink_events_total', { outcome });
    expect([count('tombstone'), count('filtered'), count('delivered')]).toEqual([2, 3, 1]);
    await onBatch(batchOf([drop, null, '{', drop], { offset: 6 }), assignment);
    expect(assignment.watermark()).toBe(10);
  });

  it('an empty batch changes nothing', async () => {
    const { onBatch, target } = setup();
    const assignment = assignmentOf();
    await onBatch(batchOf([], { offset: 5 }), assignment);
    expect(assignment.completed).toEqual([]);
    expect(target.sizes).toEqual([]);
  });

  it('a byte order mark is left out', async () => {
    const { target, clock, onBatch } = setup();
    await onBatch(batchOf([`\ufeff${value(1)}`, value(2)]), assignmentOf());
    await clock.advance(0);
    expect(target.stored).toEqual([1, 2]);
  });
});

describe('Avro', () => {
  const framed = (n: number): Buffer => Buffer.from([0, 0, 0, 0, 1, n]);

  it('is decoded and stored; what cannot be decoded is dead-lettered with its original bytes', async () => {
    const decode: DecodeValue = async (_, bytes) =>
      bytes[5] === 3 ? { reason: 'avro_decode', detail: 'truncated' } : Buffer.from(value(bytes[5]!));
    const { target, clock, onBatch, letters, letterOf } = setup({ decode });
    const assignment = assignmentOf();
    await onBatch(batchOf([value(0), framed(1), framed(2), framed(3), value(4), framed(5)]), assignment);
    await clock.advance(1000);
    expect(sorted(target.stored)).toEqual([0, 1, 2, 4, 5]);
    expect(letters.map(({ value: bytes }) => bytes)).toEqual([framed(3)]);
    expect(letterOf(0)['x-dlq-reason']).toBe('avro_decode');
    expect(assignment.watermark()).toBe(6);
  });

  it('decoded text is checked like any other', async () => {
    const decode: DecodeValue = () => Buffer.from('{"n":1},{"event":"x"}');
    const { target, clock, onBatch, letters } = setup({ decode });
    await onBatch(batchOf([framed(1)]), assignmentOf());
    await clock.advance(0);
    expect(target.sizes).toEqual([]);
    expect(letters).toHaveLength(1);
  });

  it('text that grew too large is dead-lettered, not written past its memory', async () => {
    const decode: DecodeValue = () => Buffer.from(JSON.stringify({ a: 'x'.repeat(1_100_000) }));
    const { target, clock, onBatch, letterOf } = setup({ decode });
    await onBatch(batchOf([framed(1)]), assignmentOf());
    await clock.advance(0);
    expect(target.sizes).toEqual([]);
    expect(letterOf(0)['x-dlq-reason']).toBe('too_large');
  });

  it('a registry that is down holds the partition back and dead-letters nothing', async () => {
    let down = true;
    const decode: DecodeValue = async (_, bytes) => {
      if (down) throw new Error('ECONNREFUSED');
      return Buffer.from(value(bytes[5]!));
    };
    const { target, clock, onBatch, letters } = setup({ decode });
    const assignment = assignmentOf();
    const pending = onBatch(batchOf([value(0), framed(1), value(2)]), assignment);
    await clock.advance(60_000);
    expect(letters).toEqual([]);
    expect(assignment.watermark()).toBeLessThan(2);
    down = false;
    await clock.advance(1_000);
    await pending;
    await clock.advance(1_000);
    expect(sorted(target.stored)).toEqual([0, 1, 2]);
    expect(assignment.watermark()).toBe(3);
  });
});
