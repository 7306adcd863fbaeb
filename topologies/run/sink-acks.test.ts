// Indexer acknowledgement: nothing is committed before it is indexed, nothing is kept meanwhile, and what is not indexed is read again.
import type { Connection, SinkConfig } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { SinkPorts } from '../domain/sink/define-sink.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLog } from '../ports/fakes/log.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import { fakeMetrics } from '../ports/fakes/metrics.ts';
import { fakeSecrets } from '../ports/fakes/secrets.ts';
import type { OutRecord } from '../ports/log.ts';
import { ackReceiver } from '../testing/ack-receiver.ts';
import { openSink } from './open-sink.ts';
import { createSinkDecode } from './sink-decode.ts';

const topic = 'findings.v1';
const group = 'tocsin.sink.soc';
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function start(
  params: Record<string, unknown> = {},
  batch: SinkConfig['batch'] = {},
  hosts: readonly string[] = [],
) {
  const clock = fakeClock();
  const log = fakeLog({ clock, topics: { [topic]: 2 }, batchSize: 10 });
  const target = ackReceiver();
  const metrics = fakeMetrics();
  const logger = fakeLogger();
  const letters: OutRecord[] = [];
  const connection: Connection = {
    kind: 'connection',
    id: 'splunk',
    type: 'http',
    host: 'splunk.example.com',
    ...(hosts.length === 0 ? {} : { hosts: hosts as [string, ...string[]] }),
    secrets: { token: { env: 'TOKEN' } },
  };
  const document: SinkConfig = {
    kind: 'sink',
    id: 'soc',
    type: 'splunk-hec',
    connection: 'splunk',
    batch: { max_events: 5, in_flight: 2, ...batch },
    params: { ack: true, ...params },
  };
  const ports: Partial<SinkPorts> = { http: target.http };
  const sink = await openSink(
    document,
    connection,
    {
      client: log,
      ports,
      hostName: 'test',
      secrets: fakeSecrets({ TOKEN: 'x' }),
      letters: { send: async (records) => void letters.push(...records) },
      decode: createSinkDecode(null),
      clock,
      random: () => 0.5,
      metrics,
      logger,
    },
    (error) => {
      throw error;
    },
  );
  stops.push(async () => {
    target.state.holdAnswers = false;
    target.release();
    const stopped = sink.stop();
    await clock.advance(60_000);
    await stopped;
  });
  const producer = log.producer();
  let made = 0;
  /** Where each event is. */
  const places = new Map<number, { partition: number; offset: number }>();
  const ends = [0, 0];
  async function produce(count: number, partition = 0): Promise<void> {
    for (let k = 0; k < count; k++) {
      places.set(made, { partition, offset: ends[partition]!++ });
      await producer.send([{ topic, partition, key: null, value: `{"n":${made++}}` }]);
    }
    await clock.advance(0);
  }
  const committed = (partition = 0): number => Math.max(0, log.committed(group, { topic, partition }));
  /** Events below the commit that the indexer does not have. */
  function overtaken(): number[] {
    const have = new Set(target.indexed);
    return [...places]
      .filter(([n, { partition, offset }]) => offset < committed(partition) && !have.has(n))
      .map(([n]) => n);
  }
  return { clock, log, target, metrics, logger, letters, produce, committed, overtaken, places };
}

describe('acknowledged delivery', () => {
  it('commits when it is indexed, not when it is answered, and keeps no memory for what waits', async () => {
    const { clock, target, metrics, produce, committed } = await start();
    await produce(500);
    await clock.advance(2_000);
    // A hundred requests, although there are four slabs.
    expect(sorted(target.requests.flat())).toEqual(range(0, 500));
    expect(committed()).toBe(0);
    expect(metrics.value('tocsin_sink_unacknowledged', { sink: 'soc' })).toBe(500);
    target.index(10);
    await clock.advance(5_000);
    expect(committed()).toBe(target.indexed.length);
    target.index();
    await clock.advance(5_000);
    expect(committed()).toBe(500);
    expect(metrics.value('tocsin_sink_unacknowledged', { sink: 'soc' })).toBe(0);
    expect(target.requests.flat()).toHaveLength(500);
  });

  it('sends no more than the bound without acknowledgement', async () => {
    const { clock, target, produce, committed } = await start({ ack_outstanding: 3 });
    await produce(100);
    await clock.advance(60_000);
    expect(target.requests.length).toBeLessThanOrEqual(4);
    for (let k = 0; k < 60; k++) {
      target.index();
      await clock.advance(5_000);
    }
    expect(committed()).toBe(100);
    expect(target.requests.flat()).toHaveLength(100);
  });

  it('H08: what is never acknowledged is read again after five minutes, and only that', async () => {
    const { clock, target, metrics, produce, committed } = await start();
    await produce(20);
    // Of four requests the second is never indexed.
    target.index(1);
    const lost = target.requests[1]!;
    target.restart();
    await clock.advance(299_000);
    expect(target.requests.flat()).toHaveLength(20);
    await clock.advance(20_000);
    target.index();
    await clock.advance(10_000);
    expect(new Set(target.indexed)).toEqual(new Set(range(0, 20)));
    expect(target.requests.slice(4).flat()).toEqual(expect.arrayContaining(lost));
    expect(committed()).toBe(20);
    expect(metrics.total('tocsin_sink_events_total', { outcome: 'resent' })).toBe(20);
  });

  it('an answer to a question that gets lost leads to a repetition, not to a loss', async () => {
    const { clock, target, produce, committed } = await start();
    await produce(10);
    target.index();
    target.state.losePolls = 1;
    await clock.advance(290_000);
    expect(committed()).toBe(0);
    await clock.advance(30_000);
    target.index();
    await clock.advance(10_000);
    expect(committed()).toBe(10);
    expect(sorted(target.indexed)).toEqual(sorted([...range(0, 10), ...range(0, 10)]));
  });

  it('an indexer that starts again: a new channel, and what waited on the old one is sent again', async () => {
    const { clock, target, produce, committed, overtaken } = await start();
    await produce(20);
    target.restart();
    await produce(5);
    await clock.advance(0);
    for (let k = 0; k < 5; k++) {
      target.index();
      await clock.advance(5_000);
      expect(overtaken()).toEqual([]);
    }
    expect(new Set(target.indexed)).toEqual(new Set(range(0, 25)));
    expect(committed()).toBe(25);
    expect(target.channels.size).toBeGreaterThan(1);
  });

  it('"true" for a number of the new count is not believed for the old request', async () => {
    const { clock, target, produce, overtaken } = await start({}, { max_events: 1 });
    await produce(1);
    target.restart();
    // The new request gets number 0 as well, is indexed and asked for before its answer comes.
    target.state.holdAnswers = true;
    await produce(1);
    target.index();
    await clock.advance(5_000);
    expect(target.indexed).toEqual([1]);
    expect(overtaken()).toEqual([]);
    target.state.holdAnswers = false;
    target.release();
    for (let k = 0; k < 5; k++) {
      await clock.advance(5_000);
      target.index();
      expect(overtaken()).toEqual([]);
    }
    expect(new Set(target.indexed)).toEqual(new Set([0, 1]));
  });

  it('nor when the answer of the new request never comes', async () => {
    const { clock, target, produce, overtaken } = await start({}, { max_events: 1 });
    await produce(1);
    target.restart();
    target.state.loseAnswers = 1;
    await produce(1);
    target.index();
    await clock.advance(5_000);
    expect(overtaken()).toEqual([]);
    for (let k = 0; k < 5; k++) {
      await clock.advance(5_000);
      target.index();
    }
    expect(new Set(target.indexed)).toEqual(new Set([0, 1]));
    expect(overtaken()).toEqual([]);
  });

  it('a token without acknowledgement pauses the sink and is not sent the same again and again', async () => {
    const { clock, target, metrics, logger, produce, committed } = await start();
    target.state.silent = true;
    await produce(5);
    await clock.advance(600_000);
    expect(metrics.value('tocsin_sink_paused', { sink: 'soc' })).toBe(1);
    expect(logger.entries.some(({ fields }) => JSON.stringify(fields ?? {}).includes('hec_no_ack'))).toBe(
      true,
    );
    expect(target.requests.length).toBeLessThanOrEqual(2);
    expect(committed()).toBe(0);
    target.state.silent = false;
    await clock.advance(60_000);
    target.index();
    await clock.advance(10_000);
    expect(committed()).toBe(5);
  });

  it('losses in a row are read again more and more slowly', async () => {
    const { clock, target, produce } = await start({ ack_timeout_ms: 1_000 }, { max_events: 5 });
    await produce(5);
    await clock.advance(3_600_000);
    // Without the growing wait there would be one every second or two.
    expect(target.requests.length).toBeLessThan(40);
    expect(target.requests.length).toBeGreaterThan(8);
  });

  it('with any faults in any order no commit overtakes the indexer, and all is indexed in the end', async () => {
    const step = fc.constantFrom(
      'produce',
      'produce-other',
      'index-one',
      'index',
      'restart',
      'lose-answer',
      'lose-poll',
      'refuse',
      'accept',
      'hold',
      'release',
      'second',
      'minutes',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { clock, target, produce, committed, overtaken, places } = await start({}, { max_events: 3 });
        for (const what of steps) {
          if (what === 'produce') await produce(7);
          if (what === 'produce-other') await produce(4, 1);
          if (what === 'index-one') target.index(1);
          if (what === 'index') target.index();
          if (what === 'restart') target.restart();
          if (what === 'lose-answer') target.state.loseAnswers = 1;
          if (what === 'lose-poll') target.state.losePolls = 1;
          if (what === 'refuse' || what === 'accept') target.state.refuse = what === 'refuse';
          if (what === 'hold') target.state.holdAnswers = true;
          if (what === 'release') {
            target.state.holdAnswers = false;
            target.release();
          }
          if (what === 'minutes') await clock.advance(310_000);
          await clock.advance(what === 'second' ? 1_000 : 0);
          expect(overtaken()).toEqual([]);
        }
        Object.assign(target.state, { refuse: false, holdAnswers: false, loseAnswers: 0, losePolls: 0 });
        target.release();
        for (let k = 0; k < 400 && new Set(target.indexed).size < places.size; k++) {
          target.index();
          await clock.advance(10_000);
          expect(overtaken()).toEqual([]);
        }
        target.index();
        await clock.advance(700_000);
        target.index();
        await clock.advance(10_000);
        expect(new Set(target.indexed).size).toBe(places.size);
        expect(committed(0) + committed(1)).toBe(places.size);
      }),
      { numRuns: 60 },
    );
  });
});
