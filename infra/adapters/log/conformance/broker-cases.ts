// Conformance cases that need a real broker, but no broker of their own.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { crc32c } from '@platformatic/kafka';
import { kafkaFiles } from '@tocsin/local/servers/fetch.ts';
import type { UnreadableOffsets } from '@tocsin/topologies/ports/log.ts';
import { partitionOfKey } from '@tocsin/topologies/ports/partition.ts';
import { expect } from 'vitest';
import { encodeBatch } from '../core/record-encode.ts';
import { kafkajs } from '../kafkajs/library.ts';
import { Cluster } from '../platformatic/cluster.ts';
import { produceV9 } from '../platformatic/wire.ts';
import type { LogClientName } from '../settings.ts';
import { brokerSubject, settingsFor } from './broker-subject.ts';
import { committed, createTopic, fill, reader, unique, until } from './subject.ts';

export interface BrokerCase {
  readonly number: number;
  readonly title: string;
  readonly run: (client: LogClientName, brokers: string) => Promise<void>;
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Appends raw bytes of one record batch, as a hostile or broken producer could. */
export async function appendRaw(
  brokers: string,
  topic: string,
  partition: number,
  records: Buffer,
): Promise<void> {
  const cluster = new Cluster(settingsFor('platformatic', brokers));
  try {
    await cluster.topic(topic);
    const leader = cluster.broker(cluster.leader(topic, partition));
    const [answer] = await cluster.connections.call(leader, 'produce', produceV9, [
      { timeoutMs: 10_000, batches: [{ topic, partition, records }] },
    ]);
    expect(answer).toMatchObject({ errorCode: 0 });
  } finally {
    await cluster.close();
  }
}

/** A gzip batch of records that all hold `size` zero bytes. */
export function gzipBomb(count: number, size: number): Buffer {
  const records = Array.from({ length: count }, () => ({
    key: null,
    value: Buffer.alloc(size),
    timestamp: Date.now(),
  }));
  const plain = encodeBatch(records, crc32c);
  const batch = Buffer.concat([plain.subarray(0, 61), gzipSync(plain.subarray(61))]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt16BE(1, 21);
  batch.writeUInt32BE(crc32c(batch.subarray(21)) >>> 0, 17);
  return batch;
}

/** Twice with a pause: buffers are given back only when their finalizers had a turn. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  for (let pass = 0; pass < 3; pass++) {
    await sleep(60);
    collect();
  }
  await sleep(60);
}

export const brokerCases: readonly BrokerCase[] = [
  {
    number: 1,
    title: 'kill -9 in the middle of a batch loses nothing and repeats only what was not committed',
    run: async (client, brokers) => {
      const subject = brokerSubject(client, brokers);
      const log = subject.create();
      const topic = await createTopic(subject, log, 'kill', 2);
      const group = unique('kill');
      await fill(log, topic, 300, 0);
      await fill(log, topic, 300, 1);
      const child = spawn(process.execPath, [here('crash-child.ts'), client, brokers, topic, group], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const completed: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        completed.push(line);
        if (completed.length === 200) child.kill('SIGKILL');
      }
      if (child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');
      const before = await committed(log, group, topic);
      expect(Math.max(...before)).toBeGreaterThan(0);
      const heir = reader(log, topic, group);
      await heir.consumer.start();
      for (const partition of [0, 1]) {
        const own = () =>
          heir.seen.filter((each) => each.partition === partition).map(({ offset }) => offset);
        const from = Math.max(0, before[partition]!);
        // Nothing below the commit is repeated, nothing above it is missing.
        await until(`partition ${partition} is read`, () => own().length >= 300 - from, 30_000);
        expect(own()).toEqual(Array.from({ length: 300 - from }, (_, index) => from + index));
        // And what was committed had been completed.
        const done = new Set(completed);
        for (let offset = 0; offset < from; offset++) expect(done.has(`${partition}/${offset}`)).toBe(true);
      }
      await heir.consumer.stop();
      expect(await committed(log, group, topic)).toEqual([300, 300]);
    },
  },
  {
    number: 6,
    title:
      'a batch that inflates beyond the limit is reported with its offsets, and the partition goes on or stops',
    run: async (client, brokers) => {
      const subject = brokerSubject(client, brokers);
      const log = subject.create({ maxDecompressedBytes: 1024 * 1024 });
      const topic = await createTopic(subject, log, 'bomb', 1);
      await fill(log, topic, 5);
      await appendRaw(brokers, topic, 0, gzipBomb(4, 2 * 1024 * 1024));
      await fill(log, topic, 5, 0, 5);
      const group = unique('bomb');
      const ranges: UnreadableOffsets[] = [];
      const going = reader(log, topic, group, {
        handler: {
          onBatch: async () => undefined,
          onUnreadable: async (range) => {
            ranges.push(range);
          },
        },
      });
      await going.consumer.start();
      await until('goes on behind it', () => going.seen.length === 10);
      await until('all committed', async () => (await committed(log, group, topic))[0] === 14);
      expect(ranges).toMatchObject([{ topic, partition: 0, firstOffset: 5, nextOffset: 9 }]);
      expect(going.seen.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 9, 10, 11, 12, 13]);
      await going.consumer.stop();
      const stopping = reader(log, topic, unique('bomb'));
      await stopping.consumer.start();
      await until('notice', () => stopping.notices.some(({ kind }) => kind === 'unreadable'));
      await sleep(500);
      expect(stopping.seen.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
      expect(stopping.failures).toEqual([]);
      await stopping.consumer.stop();
    },
  },
  {
    number: 10,
    title: 'control records are passed over; records of aborted transactions are delivered like others',
    run: async (client, brokers) => {
      const subject = brokerSubject(client, brokers);
      const log = subject.create();
      const topic = await createTopic(subject, log, 'transactions', 1);
      const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logCreator: () => () => undefined });
      const producer = kafka.producer({
        transactionalId: unique('tx'),
        idempotent: true,
        maxInFlightRequests: 1,
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      });
      await producer.connect();
      const within = async (values: string[], commit: boolean) => {
        const transaction = await producer.transaction();
        await transaction.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) });
        await (commit ? transaction.commit() : transaction.abort());
      };
      await within(['a', 'b', 'c'], true);
      await within(['x', 'y', 'z'], false);
      await within(['d'], true);
      await within(['w'], false);
      await producer.disconnect();
      const group = unique('transactions');
      const all = reader(log, topic, group);
      await all.consumer.start();
      await until('every record', () => all.seen.length === 8);
      expect(all.seen.map(({ value }) => value)).toEqual(['a', 'b', 'c', 'x', 'y', 'z', 'd', 'w']);
      // Eight records and four markers: the commit passes the last marker, so that lag is zero.
      await until('lag is zero', async () => (await committed(log, group, topic))[0] === 12);
      await all.consumer.stop();
    },
  },
  {
    number: 11,
    title:
      'gzip, snappy, lz4 and zstd batches of the Java producer are read; (12) keys go where it sends them',
    run: async (client, brokers) => {
      const subject = brokerSubject(client, brokers);
      const log = subject.create();
      const topic = await createTopic(subject, log, 'codecs', 12);
      const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
      const count = 400;
      const classPath = `${await kafkaFiles()}/*`;
      const { stdout } = await promisify(execFile)(
        'java',
        [
          // Of its source and of what it prints: Java takes that of the locale otherwise.
          ...['-Dfile.encoding=UTF-8', '-Dstdout.encoding=UTF-8'],
          ...['-cp', classPath, here('JavaPeer.java'), brokers, topic, codecs.join(','), String(count)],
        ],
        {
          maxBuffer: 16 * 1024 * 1024,
        },
      );
      const written = stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ') as [string, string, string]);
      expect(written.length).toBe(codecs.length * count);
      for (const [key, partition] of written)
        expect(partitionOfKey(Buffer.from(key), 12)).toBe(Number(partition));
      const all = reader(log, topic, unique('codecs'));
      await all.consumer.start();
      await until('everything', () => all.seen.length >= written.length);
      const read = new Map(all.seen.map((each) => [each.key, each]));
      for (const [key, partition, offset] of written) {
        const found = read.get(key);
        expect([found?.partition, found?.offset]).toEqual([Number(partition), Number(offset)]);
        const [codec, n] = [
          key.slice(0, key.indexOf('-')),
          Number.parseInt(key.slice(key.indexOf('-') + 1), 10),
        ];
        expect(JSON.parse(found!.value!)).toEqual({ codec, n, text: 'finding '.repeat(20) });
      }
      await all.consumer.stop();
      // Our own producer agrees with it, too.
      const own = await createTopic(subject, log, 'partitioner', 12);
      const producer = log.producer();
      await producer.send(written.slice(0, 200).map(([key]) => ({ topic: own, key, value: '' })));
      await producer.close();
      const mine = reader(log, own, unique('partitioner'));
      await mine.consumer.start();
      await until('mine', () => new Set(mine.seen.map(({ key }) => key)).size >= 200);
      await mine.consumer.stop();
      const expected = new Map(written.map(([key, partition]) => [key, Number(partition)]));
      for (const { key, partition } of mine.seen) expect(partition).toBe(expected.get(key!));
    },
  },
  {
    number: 15,
    title: 'a long run leaves the heap flat',
    run: async (client, brokers) => {
      const subject = brokerSubject(client, brokers);
      const log = subject.create();
      const topic = await createTopic(subject, log, 'soak', 4);
      let count = 0;
      const consumer = log.consumer({
        group: unique('soak'),
        topics: [topic],
        handler: {
          onBatch: async (batch, assignment) => {
            count += batch.count;
            for (let index = 0; index < batch.count; index++)
              assignment.complete(batch.offset(index), batch.offset(index) + 1);
          },
        },
      });
      await consumer.start();
      const producer = log.producer();
      const records = Array.from({ length: 5_000 }, (_, index) => ({
        topic,
        key: `k${index}`,
        value: 'x'.repeat(400),
      }));
      const used: number[] = [];
      for (let round = 1; round <= 16; round++) {
        await producer.send(records);
        await until(`round ${round}`, () => count === round * records.length);
        if (round % 4 === 0) {
          await collectGarbage();
          const { heapUsed, external, arrayBuffers } = process.memoryUsage();
          used.push(heapUsed + external + arrayBuffers);
        }
      }
      await Promise.all([producer.close(), consumer.stop()]);
      // 24 MB went through between the two measurements; a leak of one byte in ten would show.
      expect(used.at(-1)! - used[1]!).toBeLessThan(2_400_000);
    },
  },
  {
    number: 17,
    title: 'a record that is too large fails its own send only',
    run: async (client, brokers) => {
      const subject = brokerSubject(client, brokers);
      const log = subject.create();
      const topic = await createTopic(subject, log, 'large', 1);
      const producer = log.producer();
      const good = producer.send([{ topic, key: null, value: 'small' }]);
      const bad = producer.send([{ topic, key: null, value: Buffer.alloc(1_500_000) }]);
      const alsoGood = producer.send([{ topic, key: null, value: 'small too' }]);
      const results = await Promise.allSettled([good, bad, alsoGood]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(results[1]).toMatchObject({ reason: { name: 'LogError', retriable: false } });
      await producer.send([{ topic, key: null, value: 'later' }]);
      await producer.close();
      const all = reader(log, topic, unique('large'));
      await all.consumer.start();
      await until('three', () => all.seen.length === 3);
      await all.consumer.stop();
      expect(all.seen.map(({ value }) => value).sort()).toEqual(['later', 'small', 'small too']);
    },
  },
];
