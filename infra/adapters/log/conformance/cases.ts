// The conformance cases that need nothing but a log: every adapter and the in-memory twin pass them.
//
// The numbers are those of the list in docs/decisions/0002-kafka-client.md.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Assignment } from '@tocsin/topologies/ports/log.ts';
import { partitionOfKey } from '@tocsin/topologies/ports/partition.ts';
import { expect } from 'vitest';
import { type Case, committed, createTopic, fill, reader, unique, until } from './subject.ts';

const range = (first: number, next: number): number[] =>
  Array.from({ length: next - first }, (_, index) => first + index);

export const cases: readonly Case[] = [
  {
    number: 2,
    title: 'a rebalance during a slow handler keeps the order per partition and commits nothing unprocessed',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'slow', 2);
      const group = unique('slow');
      await fill(log, topic, 400, 0);
      await fill(log, topic, 400, 1);
      const done: { partition: number; offset: number }[] = [];
      const slow = async (
        batch: { count: number; partition: number; offset(index: number): number },
        assignment: Assignment,
      ) => {
        for (let index = 0; index < batch.count && !assignment.signal.aborted; index++) {
          await sleep(10);
          done.push({ partition: batch.partition, offset: batch.offset(index) });
          assignment.complete(batch.offset(index), batch.offset(index) + 1);
        }
      };
      const first = reader(log, topic, group, { drainMs: 500 }, slow);
      const second = reader(log, topic, group, { drainMs: 500 }, slow);
      await first.consumer.start();
      await until('first works', () => done.length > 5);
      await second.consumer.start();
      await until('second works', () => second.seen.length > 0);
      await until(
        'all done',
        () => new Set(done.map(({ partition, offset }) => `${partition}/${offset}`)).size === 800,
        30_000,
      );
      // The batch that was cut short is read again from its first open record: no offset is done twice, none out of order.
      for (const partition of [0, 1]) {
        expect(done.filter((each) => each.partition === partition).map(({ offset }) => offset)).toEqual(
          range(0, 400),
        );
      }
      await Promise.all([first.consumer.stop(), second.consumer.stop()]);
      expect(await committed(log, group, topic)).toEqual([400, 400]);
      expect([...first.failures, ...second.failures]).toEqual([]);
    },
  },
  {
    number: 3,
    title: 'a completion after the revoke is ignored',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'late', 1);
      const group = unique('late');
      await fill(log, topic, 10);
      let held: Assignment | undefined;
      const first = reader(log, topic, group, { drainMs: 200 }, (batch, assignment) => {
        held = assignment;
        assignment.complete(batch.offset(0), 4);
      });
      await first.consumer.start();
      await until('records are held', () => first.seen.length === 10);
      await first.consumer.stop();
      expect(await committed(log, group, topic)).toEqual([4]);
      held!.complete(4, 10);
      expect(held!.signal.aborted).toBe(true);
      await sleep(200);
      expect(await committed(log, group, topic)).toEqual([4]);
      const second = reader(log, topic, group);
      await second.consumer.start();
      await until('the rest is read again', () => second.seen.length === 6);
      held!.complete(4, 10);
      await second.consumer.stop();
      expect(second.seen.map(({ offset }) => offset)).toEqual(range(4, 10));
      expect(await committed(log, group, topic)).toEqual([10]);
    },
  },
  {
    number: 4,
    title: 'completions out of order commit the contiguous part',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'order', 1);
      const group = unique('order');
      await fill(log, topic, 100);
      let assignment: Assignment | undefined;
      const subjectReader = reader(log, topic, group, {}, (_, given) => {
        assignment = given;
      });
      await subjectReader.consumer.start();
      await until('all delivered', () => subjectReader.seen.length === 100);
      assignment!.complete(60, 100);
      assignment!.complete(20, 40);
      await sleep(300);
      expect(await committed(log, group, topic)).toEqual([-1]);
      assignment!.complete(0, 20);
      await until('contiguous part', async () => (await committed(log, group, topic))[0] === 40);
      await sleep(200);
      expect(await committed(log, group, topic)).toEqual([40]);
      assignment!.complete(40, 60);
      await until('everything', async () => (await committed(log, group, topic))[0] === 100);
      await subjectReader.consumer.stop();
    },
  },
  {
    number: 5,
    title: 'a paused partition holds nobody, and is not paused when it comes back',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'pause', 2);
      const group = unique('pause');
      const first = reader(log, topic, group);
      await first.consumer.start();
      first.consumer.pause({ topic, partition: 0 });
      await fill(log, topic, 20, 0);
      await fill(log, topic, 20, 1);
      await until(
        'partition 1 goes on',
        () => first.seen.filter(({ partition }) => partition === 1).length === 20,
      );
      await fill(log, topic, 20, 1, 20);
      await until('and on', () => first.seen.filter(({ partition }) => partition === 1).length === 40);
      expect(first.seen.filter(({ partition }) => partition === 0)).toEqual([]);
      // Another member takes a partition and leaves again: everything comes back to the first.
      const second = reader(log, topic, group);
      await second.consumer.start();
      await second.consumer.stop();
      await until('both are back', () => first.consumer.assignments().length === 2);
      await until(
        'partition 0 is read',
        () => [...first.seen, ...second.seen].filter(({ partition }) => partition === 0).length === 20,
      );
      first.consumer.pause({ topic, partition: 0 });
      await fill(log, topic, 5, 0, 20);
      await sleep(400);
      const before = [...first.seen, ...second.seen].filter(({ partition }) => partition === 0).length;
      first.consumer.resume({ topic, partition: 0 });
      await until(
        'resumed',
        () => [...first.seen, ...second.seen].filter(({ partition }) => partition === 0).length === 25,
      );
      expect(before).toBeLessThan(25);
      await first.consumer.stop();
    },
  },
  {
    number: 5,
    title: 'a handler that does not return holds its own partition alone',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'stuck', 2);
      const release = Promise.withResolvers<void>();
      const stuck = reader(
        log,
        topic,
        unique('stuck'),
        { maxBytesPerPartition: 4096 },
        async (batch, assignment) => {
          if (batch.partition === 0) await release.promise;
          assignment.complete(batch.offset(0), batch.nextOffset);
        },
      );
      await stuck.consumer.start();
      for (let part = 0; part < 25; part++) await fill(log, topic, 20, 0, part * 20);
      await until('partition 0 is stuck', () => stuck.seen.some(({ partition }) => partition === 0));
      for (let round = 0; round < 5; round++) {
        await fill(log, topic, 50, 1, round * 50);
        await until(
          `round ${round}`,
          () => stuck.seen.filter(({ partition }) => partition === 1).length === (round + 1) * 50,
          5_000,
        );
      }
      expect(stuck.seen.filter(({ partition }) => partition === 0).length).toBeLessThan(500);
      release.resolve();
      await until(
        'partition 0 catches up',
        () => stuck.seen.filter(({ partition }) => partition === 0).length === 500,
      );
      await stuck.consumer.stop();
    },
  },
  {
    number: 6,
    title: 'a poison record goes to the dead letters and the partition goes on',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'poison', 1);
      const dead = await createTopic(subject, log, 'dead', 1);
      const group = unique('poison');
      const producer = log.producer();
      const poison = Buffer.from([0x7b, 0xff, 0xfe, 0x00]);
      await producer.send(['{"a":1}', poison, '{"a":3}'].map((value) => ({ topic, key: null, value })));
      const good: unknown[] = [];
      const parser = reader(log, topic, group, {}, async (batch, assignment) => {
        for (let index = 0; index < batch.count; index++) {
          const value = batch.value(index)!;
          try {
            good.push(JSON.parse(value.toString()));
          } catch {
            await producer.send([
              { topic: dead, key: batch.key(index), value, headers: [['reason', 'not JSON']] },
            ]);
          }
          assignment.complete(batch.offset(index), batch.offset(index) + 1);
        }
      });
      await parser.consumer.start();
      await until('committed past the poison', async () => (await committed(log, group, topic))[0] === 3);
      expect(good).toEqual([{ a: 1 }, { a: 3 }]);
      let letter: Buffer | null = null;
      const table = log.table({
        topic: dead,
        onBatch: (batch) => {
          letter = batch.value(0);
        },
      });
      await table.start();
      expect(letter).toEqual(poison);
      await Promise.all([table.stop(), parser.consumer.stop(), producer.close()]);
    },
  },
  {
    number: 6,
    title: 'a handler that throws fails the consumer and commits nothing of that batch',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'throws', 1);
      const group = unique('throws');
      await fill(log, topic, 3);
      const broken = reader(log, topic, group, {}, () => {
        throw new Error('bug in the handler');
      });
      await broken.consumer.start();
      await until('failed', () => broken.failures.length === 1);
      expect(broken.failures[0]!.message).toContain('bug in the handler');
      await broken.consumer.stop();
      expect(await committed(log, group, topic)).toEqual([-1]);
    },
  },
  {
    number: 8,
    title: 'added partitions are read',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'grow', 1);
      const group = unique('grow');
      const growing = reader(log, topic, group);
      await growing.consumer.start();
      await fill(log, topic, 5);
      const admin = log.admin();
      expect(
        await admin.ensureTopics([
          { name: topic, partitions: 3, replicationFactor: subject.replicationFactor, config: {} },
        ]),
      ).toEqual([]);
      await admin.close();
      await fill(subject.create(), topic, 5, 2);
      await until(
        'partition 2 is read',
        () => growing.seen.filter(({ partition }) => partition === 2).length === 5,
      );
      expect(growing.consumer.assignments().length).toBe(3);
      expect(growing.seen.length).toBe(10);
      await growing.consumer.stop();
    },
  },
  {
    number: 9,
    title: 'an offset out of range stops the partition, names the lost range, and a seek goes on',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'range', 2);
      const group = unique('range');
      await fill(log, topic, 10, 0);
      const before = reader(log, topic, group);
      await before.consumer.start();
      await until('ten', () => before.seen.length === 10);
      await before.consumer.stop();
      await fill(log, topic, 90, 0, 10);
      await fill(log, topic, 3, 1);
      await subject.deleteBefore({ topic, partition: 0 }, 60);
      const after = reader(log, topic, group);
      await after.consumer.start();
      await until('notice', () => after.notices.some(({ kind }) => kind === 'offset-out-of-range'));
      const notice = after.notices.find(({ kind }) => kind === 'offset-out-of-range')!;
      expect(notice).toMatchObject({ topic, partition: 0 });
      expect(notice.message).toMatch(/\b10\b|\b50\b/);
      await until(
        'the other partition goes on',
        () => after.seen.filter(({ partition }) => partition === 1).length === 3,
      );
      await sleep(700);
      expect(after.seen.filter(({ partition }) => partition === 0)).toEqual([]);
      expect((await committed(log, group, topic))[0]).toBe(10);
      after.consumer.seek({ topic, partition: 0 }, 60);
      await until(
        'goes on after the seek',
        () => after.seen.filter(({ partition }) => partition === 0).length === 40,
      );
      await after.consumer.stop();
      expect(await committed(log, group, topic)).toEqual([100, 3]);
    },
  },
  {
    number: 14,
    title: 'stop drains what is in the handler and commits it',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'stop', 2);
      const group = unique('stop');
      await fill(log, topic, 30, 0);
      await fill(log, topic, 30, 1);
      const calls: string[] = [];
      const draining = reader(
        log,
        topic,
        group,
        {
          commitIntervalMs: 60_000,
          handler: { onBatch: async () => undefined },
        },
        (batch, assignment) => {
          // Handed over at once, completed much later: as a sink with requests in flight does it.
          setTimeout(() => assignment.complete(batch.offset(0), batch.nextOffset), 400);
        },
      );
      await draining.consumer.start();
      await until('all delivered', () => draining.seen.length === 60);
      await draining.consumer.stop();
      expect(await committed(log, group, topic)).toEqual([30, 30]);
      await draining.consumer.stop();

      // A handler with onRevoked says itself when it is done: what it completes until then counts, the rest does not.
      const other = unique('stop');
      const partly = reader(
        log,
        topic,
        other,
        {
          commitIntervalMs: 60_000,
          handler: {
            onBatch: async () => undefined,
            onRevoked: async (assignment, reason) => {
              calls.push(reason);
              await sleep(100);
              assignment.complete(0, 10);
            },
          },
        },
        () => undefined,
      );
      await partly.consumer.start();
      await until('all delivered again', () => partly.seen.length === 60);
      await partly.consumer.stop();
      expect(await committed(log, other, topic)).toEqual([10, 10]);
      expect(calls).toEqual(['revoked', 'revoked']);
    },
  },
  {
    number: 16,
    title: 'two groups read the same topic without touching each other',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'groups', 1);
      const [one, two] = [unique('one'), unique('two')];
      await fill(log, topic, 50);
      const first = reader(log, topic, one);
      await first.consumer.start();
      await until('first has all', () => first.seen.length === 50);
      await first.consumer.stop();
      expect(await committed(log, one, topic)).toEqual([50]);
      expect(await committed(log, two, topic)).toEqual([-1]);
      const second = reader(log, topic, two, { drainMs: 200 }, (batch, assignment) =>
        assignment.complete(batch.offset(0), Math.min(batch.nextOffset, 10)),
      );
      await second.consumer.start();
      await until('second has all', () => second.seen.length === 50);
      await second.consumer.stop();
      expect([await committed(log, one, topic), await committed(log, two, topic)]).toEqual([[50], [10]]);
    },
  },
  {
    number: 17,
    title: 'tombstones, null keys, empty values, binary and duplicate headers arrive as they were sent',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'shapes', 1);
      const producer = log.producer();
      const binary = Buffer.from([0, 255, 128, 10]);
      await producer.send([
        { topic, key: 'gone', value: null, timestamp: 1_700_000_000_123 },
        {
          topic,
          key: null,
          value: '',
          headers: [
            ['a', '1'],
            ['a', binary],
            ['b', ''],
          ],
        },
        { topic, key: binary, value: binary },
        { topic, key: '', value: 'ä€😀' },
      ]);
      await producer.close();
      const records: unknown[] = [];
      const stamps: number[] = [];
      const headerSizes: unknown[] = [];
      const shapes = reader(log, topic, unique('shapes'), {}, (batch, assignment) => {
        for (let index = 0; index < batch.count; index++) {
          records.push([batch.key(index), batch.value(index), batch.headers(index)]);
          stamps.push(batch.timestamp(index));
          headerSizes.push(batch.headerSize(index));
          expect(batch.valueStart[index]! < 0).toBe(batch.value(index) === null);
          if (batch.value(index) !== null) {
            expect(batch.buffer.subarray(batch.valueStart[index], batch.valueEnd[index])).toEqual(
              batch.value(index),
            );
          }
        }
        assignment.complete(batch.offset(0), batch.nextOffset);
      });
      await shapes.consumer.start();
      await until('all', () => records.length === 4);
      await shapes.consumer.stop();
      const none = { count: 0, bytes: 0 };
      expect(headerSizes).toEqual([none, { count: 3, bytes: 3 + 1 + binary.length }, none, none]);
      const empty = Buffer.alloc(0);
      expect(records).toEqual([
        [Buffer.from('gone'), null, []],
        [
          null,
          empty,
          [
            ['a', Buffer.from('1')],
            ['a', binary],
            ['b', empty],
          ],
        ],
        [binary, binary, []],
        [empty, Buffer.from('ä€😀'), []],
      ]);
      expect(stamps[0]).toBe(1_700_000_000_123);
      expect(stamps[1]! - Date.now()).toBeLessThan(1_000);
    },
  },
  {
    number: 17,
    title: 'a table reads everything to the end, then follows; lag counts what waits',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'table', 3);
      const producer = log.producer();
      await producer.send(
        range(0, 300).map((index) => ({
          topic,
          key: `key-${index}`,
          value: String(index),
          timestamp: 1_700_000_000_000 + index,
        })),
      );
      const values = new Map<string, string>();
      const table = log.table({
        topic,
        onBatch: (batch) => {
          for (let index = 0; index < batch.count; index++)
            values.set(batch.key(index)!.toString(), batch.value(index)!.toString());
        },
      });
      await table.start();
      expect(values.size).toBe(300);
      await producer.send([{ topic, key: 'key-0', value: 'new' }]);
      await until('follows', () => values.get('key-0') === 'new');
      const admin = log.admin();
      const lag = await admin.lag(unique('nobody'), [topic]);
      expect(lag.reduce((sum, each) => sum + each.records, 0)).toBe(301);
      const first = partitionOfKey(Buffer.from('key-0'), 3);
      expect(lag.find(({ partition }) => partition === first)?.oldestTimestamp).toBe(1_700_000_000_000);
      expect([...(await admin.endOffsets(topic)).values()].reduce((sum, end) => sum + end, 0)).toBe(301);
      expect(await admin.partitionCount(topic)).toBe(3);
      expect(await admin.listTopics()).toContain(topic);
      await Promise.all([table.stop(), producer.close(), admin.close()]);
    },
  },
  {
    number: 17,
    title: 'a table starts at the offsets it was given, which a time names',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'since', 2);
      const producer = log.producer();
      const at = (index: number): number => 1_700_000_000_000 + index * 1000;
      for (const index of range(0, 20))
        await producer.send([
          { topic, partition: index % 2, key: null, value: String(index), timestamp: at(index) },
        ]);
      const admin = log.admin();
      const offsets = (time: number) => admin.offsetsAt(topic, time).then((found) => [...found].sort());
      const ends = [
        [0, 10],
        [1, 10],
      ];
      expect(await offsets(at(7))).toEqual([
        [0, 4],
        [1, 3],
      ]);
      expect(await offsets(at(6) + 1)).toEqual(await offsets(at(7)));
      expect(await offsets(0)).toEqual([
        [0, 0],
        [1, 0],
      ]);
      expect(await offsets(-2)).toEqual(await offsets(0));
      expect(await offsets(at(20))).toEqual(ends);
      const read = async (
        from: ReadonlyMap<number, number>,
        partitions?: readonly number[],
      ): Promise<number[]> => {
        const values: number[] = [];
        const table = log.table({
          topic,
          from,
          ...(partitions === undefined ? {} : { partitions }),
          onBatch: (batch) => {
            for (let index = 0; index < batch.count; index++) values.push(Number(batch.value(index)));
          },
        });
        await table.start();
        await table.stop();
        return values.sort((a, b) => a - b);
      };
      expect(await read(await admin.offsetsAt(topic, at(7)))).toEqual(range(7, 20));
      expect(await read(await admin.offsetsAt(topic, at(20)))).toEqual([]);
      expect(await read(new Map(), [1])).toEqual(range(0, 20).filter((n) => n % 2 === 1));
      const startsAre = async (...expected: [number, number][]) =>
        expect([...(await admin.startOffsets(topic))].sort()).toEqual(expected);
      await startsAre([0, 0], [1, 0]);
      await subject.deleteBefore({ topic, partition: 0 }, 8);
      await startsAre([0, 8], [1, 0]);
      expect(await read(new Map([[0, 2]]))).toEqual(range(0, 20).filter((n) => n % 2 === 1 || n >= 16));
      await Promise.all([producer.close(), admin.close()]);
    },
  },
  {
    number: 18,
    title: 'a handler that keeps its place elsewhere begins there, below and above the committed offset',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'places', 1);
      const producer = log.producer();
      await producer.send(range(0, 20).map((n) => ({ topic, key: 'k', value: String(n) })));
      const group = unique('places');
      const first = reader(log, topic, group);
      await first.consumer.start();
      await until('all', () => first.seen.length === 20);
      await first.consumer.stop();
      for (const [place, count] of [
        [7, 13],
        [15, 5],
      ] as const) {
        const next = reader(log, topic, group, {
          handler: { onBatch: async () => undefined, startAt: async () => place },
        });
        await next.consumer.start();
        await until('from the place', () => next.seen.length === count);
        expect(next.seen[0]?.offset).toBe(place);
        await next.consumer.stop();
      }
      await producer.send([{ topic, key: 'k', value: '20' }]);
      const last = reader(log, topic, group, {
        handler: { onBatch: async () => undefined, startAt: async () => null },
      });
      await last.consumer.start();
      await until('from the committed offset', () => last.seen.length === 1);
      expect(last.seen[0]?.offset).toBe(20);
      await last.consumer.stop();
      await producer.close();
    },
  },
  {
    number: 19,
    title:
      'a table waits for its handler: one batch of a partition at a time, and the start means that all were taken',
    run: async (subject) => {
      const log = subject.create();
      const topic = await createTopic(subject, log, 'patient', 1);
      await fill(log, topic, 300);
      const taken: number[] = [];
      let atWork = 0;
      let most = 0;
      const table = log.table({
        topic,
        maxBufferedBytes: 4_096,
        onBatch: async (batch) => {
          atWork += 1;
          most = Math.max(most, atWork);
          await sleep(30);
          for (let index = 0; index < batch.count; index++) taken.push(batch.offset(index));
          atWork -= 1;
        },
      });
      await table.start();
      expect(taken).toEqual(range(0, 300));
      await fill(log, topic, 100);
      await until('follows', () => taken.length === 400);
      expect(taken).toEqual(range(0, 400));
      expect(most).toBe(1);
      await table.stop();
    },
  },
];
