// The event stream over the log in memory: who gets what, who waits for whom, and how streams end.
import { describe, expect, it } from 'vitest';
import { encodePosition } from '../../domain/stream/position.ts';
import { topics } from '../../topics.ts';
import { noticesOf, numbersOf, openTestStream, testOutlet } from './stream-kit.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
const findings = topics.findings.name;

describe('live', () => {
  it('everybody gets what comes after he came, by one reader', async () => {
    const stream = openTestStream();
    await stream.publish(range(0, 10));
    const early = await stream.connect();
    await stream.publish(range(10, 20));
    await stream.clock.advance(0);
    const late = await stream.connect();
    await stream.publish(range(20, 30));
    await stream.clock.advance(0);
    expect(sorted(numbersOf(early.outlet.messages))).toEqual(range(10, 30));
    expect(sorted(numbersOf(late.outlet.messages))).toEqual(range(20, 30));
    expect(stream.metrics.total('tocsin_stream_events_total')).toBe(30);
    expect(stream.metrics.total('tocsin_stream_bytes_total')).toBe(
      early.outlet.text.length + late.outlet.text.length,
    );
    expect(stream.metrics.total('tocsin_stream_catch_ups_total')).toBe(0);
    expect(stream.metrics.value('tocsin_stream_clients')).toBe(2);
  });

  it('filters by client, and keeps to the topics that were asked for', async () => {
    const stream = openTestStream();
    const high = await stream.connect(undefined, { passes: ({ data }) => data.severity === 'high' });
    const own = await stream.connect(undefined, { topics: ['events'] });
    await stream.publish(range(0, 10));
    await stream.send([{ topic: topics.events.name, key: 'k', value: '{"event":"system.alert"}' }]);
    await stream.clock.advance(0);
    expect(sorted(numbersOf(high.outlet.messages))).toEqual([0, 2, 4, 6, 8]);
    expect(own.outlet.messages.map(({ event }) => event)).toEqual(['system.alert']);
  });

  it('skips what is no event and counts it', async () => {
    const stream = openTestStream();
    const { outlet } = await stream.connect();
    const send = (value: Buffer | string | null, headers: [string, string][] = []) =>
      stream.send([{ topic: findings, partition: 0, key: 'k', value, headers }]);
    await send(null);
    await send('not json');
    await send(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]));
    await send('\ufeff{"event":"a.b"}');
    await send('["a.b"]');
    await send('{"event":7}');
    await send(Buffer.from([0, 0, 0, 0, 1, 2, 3]));
    await send('{"event":"a.b","data":null}', [
      ['x-redrive-of', 'letter'],
      ['x-redrive-count', '1'],
      ['x-redrive-source', 'findings.v1/0/1'],
      ['x-redrive-for', 'sinks/one'],
    ]);
    await send('{"event":"a.b","data":[{"severity":1}]}');
    await stream.clock.advance(0);
    expect(outlet.messages.map(({ data }) => data)).toEqual(['{"event":"a.b","data":[{"severity":1}]}']);
    const skipped = (reason: string) =>
      stream.metrics.total('tocsin_stream_skipped_total', { reader: 'live', reason });
    expect(['tombstone', 'json', 'no_event', 'framed', 'elsewhere'].map(skipped)).toEqual([1, 4, 1, 1, 1]);
  });

  it('says where it stands with every heartbeat, also when nothing passed', async () => {
    const stream = openTestStream();
    const { outlet } = await stream.connect(undefined, { passes: () => false });
    expect(outlet.text).toMatch(/^retry: 3000\nid: [\w-]+\n\n$/);
    await stream.publish(range(0, 9));
    await stream.clock.advance(15_000);
    expect(outlet.text).toMatch(/: heartbeat\nid: [\w-]+\n\n$/);
    expect(outlet.lastId).toBe(
      encodePosition(
        new Map([
          ['findings', [3, 3, 3]],
          ['events', [0, 0]],
        ]),
      ),
    );
    await stream.clock.advance(60_000);
    expect(outlet.text.match(/: heartbeat/g)).toHaveLength(5);
  });
});

describe('resumed', () => {
  it('gets what the last position has not, from the log and then live, nothing twice', async () => {
    const stream = openTestStream();
    const first = await stream.connect();
    await stream.publish(range(0, 100));
    await stream.clock.advance(0);
    const [, id] = first.outlet.messages.map((message) => message.id).slice(39);
    const before = numbersOf(first.outlet.messages.slice(0, 41));
    first.leave();
    await stream.clock.advance(70_000);
    await stream.publish(range(100, 150));
    const second = await stream.connect(id!);
    await stream.publish(range(150, 160));
    await stream.clock.advance(0);
    expect(sorted([...before, ...numbersOf(second.outlet.messages)])).toEqual(range(0, 160));
    expect(stream.metrics.total('tocsin_stream_catch_ups_total')).toBe(1);
  });

  it('needs no read of the log while memory has it', async () => {
    const stream = openTestStream();
    const first = await stream.connect();
    await stream.publish(range(0, 100));
    await stream.clock.advance(0);
    const second = await stream.connect(first.outlet.messages[9]!.id!);
    expect(sorted(numbersOf(second.outlet.messages))).toEqual(
      sorted(numbersOf(first.outlet.messages.slice(10))),
    );
    expect(stream.metrics.total('tocsin_stream_catch_ups_total')).toBe(0);
  });

  it('begins at a time', async () => {
    const stream = openTestStream();
    await stream.publish(range(0, 10));
    await stream.clock.advance(1_000);
    const at = stream.clock.now();
    await stream.publish(range(10, 20));
    const { outlet } = await stream.connect({ kind: 'time', at });
    expect(sorted(numbersOf(outlet.messages))).toEqual(range(10, 20));
  });

  it('reads partitions that the position does not name from their beginning, and topics that it does not name from now', async () => {
    const stream = openTestStream();
    await stream.publish(range(0, 9));
    await stream.send([{ topic: topics.events.name, key: 'k', value: '{"event":"system.alert"}' }]);
    const { outlet } = await stream.connect(encodePosition(new Map([['findings', [3, 2]]])));
    expect(sorted(numbersOf(outlet.messages))).toEqual([2, 5, 7, 8]);
    expect(outlet.messages).toHaveLength(4);
  });

  it('is told what retention has removed', async () => {
    const stream = openTestStream();
    await stream.publish(range(0, 30));
    stream.log.deleteBefore({ topic: findings, partition: 1 }, 7);
    stream.log.deleteBefore({ topic: findings, partition: 2 }, 10);
    const { outlet } = await stream.connect(encodePosition(new Map([['findings', [2, 2, 2]]])), {
      topics: ['findings'],
    });
    const gap = { event: 'gap', topic: 'findings', reason: 'retention', from: 2 };
    expect(noticesOf(outlet.messages)).toEqual([
      { ...gap, partition: 1, to: 7, position: encodePosition(new Map([['findings', [2, 7, 2]]])) },
      { ...gap, partition: 2, to: 10, position: encodePosition(new Map([['findings', [2, 7, 10]]])) },
    ]);
    expect(sorted(numbersOf(outlet.messages))).toEqual([6, 9, 12, 15, 18, 21, 22, 24, 25, 27, 28]);
    expect(stream.metrics.total('tocsin_stream_gaps_total', { reason: 'retention' })).toBe(2);
  });

  it('is told what retention removes while it waits for its turn to read on', async () => {
    const stream = openTestStream({ boundBytes: 1_000, catchUpReaders: 1, stallMs: 300_000 });
    await stream.publish(range(0, 300), 0);
    const start = encodePosition(new Map([['findings', [0, 0, 0]]]));
    const outlet = testOutlet();
    outlet.stuck = true;
    const slow = await stream.connect(start, { outlet, topics: ['findings'] });
    await stream.connect(start);
    await stream.clock.advance(11_000);
    stream.log.deleteBefore({ topic: findings, partition: 0 }, 250);
    outlet.stuck = false;
    outlet.take();
    slow.client.wake();
    await stream.clock.advance(0);
    const numbers = numbersOf(outlet.messages);
    const had = numbers.indexOf(250);
    expect(had).toBeGreaterThan(0);
    expect(numbers).toEqual([...range(0, had), ...range(250, 300)]);
    expect(noticesOf(outlet.messages)).toMatchObject([
      { event: 'gap', from: had, to: 250, reason: 'retention' },
    ]);
  });

  it('is told when the topic was made anew, and gets what it holds now', async () => {
    const stream = openTestStream();
    await stream.publish(range(0, 9));
    const { outlet } = await stream.connect(encodePosition(new Map([['findings', [3, 50, 3, 8]]])), {
      topics: ['findings'],
    });
    expect(noticesOf(outlet.messages)).toEqual([
      {
        event: 'gap',
        topic: 'findings',
        partition: 1,
        from: 50,
        to: 0,
        reason: 'reset',
        position: encodePosition(new Map([['findings', [3, 0, 3]]])),
      },
      {
        event: 'gap',
        topic: 'findings',
        partition: 3,
        from: 8,
        to: 0,
        reason: 'reset',
        position: encodePosition(new Map([['findings', [3, 0, 3]]])),
      },
    ]);
    expect(numbersOf(outlet.messages)).toEqual([1, 4, 7]);
  });
});

describe('a slow client', () => {
  it('holds bounded bytes, slows nobody, and gets the rest from the log when it takes again', async () => {
    const stream = openTestStream({ boundBytes: 2_000, ringBytes: 20_000 });
    const slow = await stream.connect();
    const other = await stream.connect();
    slow.outlet.stuck = true;
    for (let n = 0; n < 1_000; n += 100) {
      await stream.publish(range(n, n + 100));
      await stream.clock.advance(0);
    }
    expect(sorted(numbersOf(other.outlet.messages))).toEqual(range(0, 1_000));
    expect(slow.outlet.pendingBytes).toBeLessThan(2_000 + 500);
    expect(stream.metrics.value('tocsin_stream_buffer_bytes')).toBeLessThanOrEqual(20_000);
    slow.outlet.stuck = false;
    slow.outlet.take();
    slow.client.wake();
    await stream.clock.advance(0);
    expect(sorted(numbersOf(slow.outlet.messages))).toEqual(range(0, 1_000));
    expect(stream.metrics.total('tocsin_stream_catch_ups_total')).toBe(1);
    expect(slow.outlet.ended).toBe(false);
  });

  it('that takes nothing is closed with its position, from which nothing is lost', async () => {
    const stream = openTestStream({ boundBytes: 2_000, ringBytes: 20_000, stallMs: 30_000 });
    const slow = await stream.connect();
    slow.outlet.stuck = true;
    await stream.publish(range(0, 1_000));
    await stream.clock.advance(29_000);
    expect(slow.outlet.ended).toBe(false);
    await stream.clock.advance(3_000);
    expect(slow.outlet.ended).toBe(true);
    slow.outlet.take();
    const [notice] = noticesOf(slow.outlet.messages);
    expect(notice).toEqual({ event: 'lagging', reason: 'stalled', position: slow.outlet.lastId });
    expect(stream.metrics.total('tocsin_stream_closes_total', { reason: 'lagging' })).toBe(1);
    expect(stream.metrics.value('tocsin_stream_clients')).toBe(0);
    const again = await stream.connect(slow.outlet.lastId);
    expect(sorted([...numbersOf(slow.outlet.messages), ...numbersOf(again.outlet.messages)])).toEqual(
      range(0, 1_000),
    );
  });

  it('that takes a little now and then is not closed', async () => {
    const stream = openTestStream({ boundBytes: 2_000, ringBytes: 20_000 });
    const slow = await stream.connect();
    slow.outlet.stuck = true;
    await stream.publish(range(0, 1_000));
    for (let turn = 0; turn < 60; turn += 1) {
      await stream.clock.advance(20_000);
      slow.outlet.take(500);
      slow.client.wake();
    }
    expect(slow.outlet.ended).toBe(false);
    expect(numbersOf(slow.outlet.messages).length).toBeGreaterThan(100);
    slow.outlet.stuck = false;
    slow.outlet.take();
    slow.client.wake();
    await stream.clock.advance(0);
    expect(sorted(numbersOf(slow.outlet.messages))).toEqual(range(0, 1_000));
  });

  it('that catches up gives its place to others after a while, and goes on later', async () => {
    const stream = openTestStream({
      boundBytes: 2_000,
      catchUpReaders: 1,
      catchUpTurnMs: 10_000,
      stallMs: 300_000,
    });
    await stream.publish(range(0, 500));
    const start = encodePosition(new Map([['findings', [0, 0, 0]]]));
    const outlet = testOutlet();
    outlet.stuck = true;
    const slow = await stream.connect(start, { outlet });
    const other = await stream.connect(start);
    expect(numbersOf(other.outlet.messages)).toEqual([]);
    await stream.clock.advance(9_000);
    expect(numbersOf(other.outlet.messages)).toEqual([]);
    await stream.clock.advance(2_000);
    expect(sorted(numbersOf(other.outlet.messages))).toEqual(range(0, 500));
    outlet.stuck = false;
    outlet.take();
    slow.client.wake();
    await stream.clock.advance(0);
    expect(sorted(numbersOf(outlet.messages))).toEqual(range(0, 500));
  });

  it('that leaves while it waits for its turn takes nobody else’s', async () => {
    const stream = openTestStream({ boundBytes: 2_000, catchUpReaders: 1, stallMs: 300_000 });
    await stream.publish(range(0, 500));
    const start = encodePosition(new Map([['findings', [0, 0, 0]]]));
    const outlet = testOutlet();
    outlet.stuck = true;
    const first = await stream.connect(start, { outlet });
    const second = await stream.connect(start);
    const third = await stream.connect(start);
    second.leave();
    first.leave();
    await stream.clock.advance(0);
    expect(sorted(numbersOf(third.outlet.messages))).toEqual(range(0, 500));
    expect(numbersOf(second.outlet.messages)).toEqual([]);
  });
});

it('a client whose socket takes everything at once is not held back by its bound', async () => {
  const stream = openTestStream({ boundBytes: 1_000 });
  const { outlet } = await stream.connect();
  await stream.publish(range(0, 255), 0);
  await stream.clock.advance(0);
  expect(numbersOf(outlet.messages)).toEqual(range(0, 255));
});

it('a client finds its place in what is left of memory when nothing that left it was his', async () => {
  const alarm = (n: number) => ({
    topic: topics.events.name,
    partition: 0,
    key: null,
    value: `{"event":"system.alert","data":{"n":${n}}}`,
  });
  // For some of these the oldest event in memory is the first that the client has not had.
  for (let others = 0; others < 60; others += 1) {
    const stream = openTestStream({ boundBytes: 50, ringBytes: 20_000 });
    const { outlet, client } = await stream.connect(undefined, { topics: ['events'] });
    outlet.stuck = true;
    await stream.send([alarm(1)]);
    await stream.publish(range(0, 60), 0);
    await stream.clock.advance(0);
    await stream.send([alarm(2)]);
    await stream.clock.advance(0);
    for (let n = 0; n < others; n += 1) await stream.publish([n], 0);
    await stream.clock.advance(0);
    outlet.stuck = false;
    outlet.take();
    client.wake();
    await stream.clock.advance(0);
    expect(outlet.messages.map(({ data }) => JSON.parse(data).data.n)).toEqual([1, 2]);
  }
});

describe('places', () => {
  it('are bounded by key and in all, and come back', async () => {
    const { hub } = openTestStream({ clients: 3, clientsPerKey: 2 });
    const [one] = [hub.admit('a'), hub.admit('a')];
    expect(hub.admit('a')).toBe('key');
    expect(typeof hub.admit('b')).toBe('object');
    expect(hub.admit('b')).toBe('all');
    if (typeof one === 'object') one.leave();
    if (typeof one === 'object') one.leave();
    expect(typeof hub.admit('b')).toBe('object');
    expect(hub.admit('c')).toBe('all');
  });

  it('of clients that left before they began are free', async () => {
    const stream = openTestStream();
    const place = stream.hub.admit('a');
    if (typeof place === 'string') throw new Error(place);
    const attach = await place.prepare({ topics: ['findings'], from: { kind: 'now' } });
    place.leave();
    const outlet = testOutlet();
    attach({ outlet, passes: null, allowed: () => true, warnings: [] });
    await stream.publish(range(0, 3));
    await stream.clock.advance(0);
    expect(numbersOf(outlet.messages)).toEqual([]);
    expect(stream.metrics.value('tocsin_stream_clients')).toBe(0);
  });
});

it('a client does not wait for a log that does not answer', async () => {
  const never = new Promise<never>(() => undefined);
  const stream = openTestStream(
    {},
    { admin: { endOffsets: () => never, startOffsets: () => never, offsetsAt: () => never } },
  );
  const connecting = stream.connect();
  const refused = expect(connecting).rejects.toThrow('the log does not answer in time');
  await stream.clock.advance(5_000);
  await refused;
  // Nor does the end of the service.
  await stream.hub.stop();
});

describe('ends', () => {
  it('of keys that are no longer good come with the next look, of keys that cannot be checked within a minute', async () => {
    const stream = openTestStream({ checkMs: 5_000 });
    let answer: boolean | null = true;
    const one = await stream.connect(undefined, { allowed: () => answer });
    await stream.clock.advance(60_000);
    expect(one.outlet.ended).toBe(false);
    answer = false;
    await stream.clock.advance(6_000);
    expect(noticesOf(one.outlet.messages)).toEqual([
      { event: 'closed', reason: 'key', position: one.outlet.lastId },
    ]);
    answer = null;
    const two = await stream.connect(undefined, { allowed: () => answer });
    await stream.clock.advance(40_000);
    expect(two.outlet.ended).toBe(false);
    await stream.clock.advance(15_000);
    expect(noticesOf(two.outlet.messages)).toMatchObject([{ reason: 'key' }]);
    answer = true;
    const three = await stream.connect(undefined, { allowed: () => answer });
    answer = null;
    await stream.clock.advance(40_000);
    answer = true;
    await stream.clock.advance(40_000);
    expect(three.outlet.ended).toBe(false);
  });

  it('of the service tell everybody his position, and nobody comes in', async () => {
    const stream = openTestStream();
    const { outlet } = await stream.connect();
    await stream.publish(range(0, 5));
    await stream.clock.advance(0);
    await stream.hub.stop();
    expect(noticesOf(outlet.messages)).toEqual([
      { event: 'closed', reason: 'shutdown', position: outlet.lastId },
    ]);
    expect(outlet.ended).toBe(true);
    expect(stream.hub.admit('k')).toBe('stopping');
    await stream.clock.advance(5_000);
    expect(stream.clock.sleepers()).toBe(0);
  });

  it('of the log end all streams with their positions; the next client begins a new reader', async () => {
    let fail: ((error: Error) => void) | undefined;
    const real = openTestStream();
    const stream = openTestStream(
      {},
      {
        log: {
          table: (options) => {
            fail = options.onFailure;
            return real.log.table(options);
          },
        },
        admin: real.log.admin(),
      },
    );
    const { outlet } = await stream.connect();
    await real.publish(range(0, 5));
    await stream.clock.advance(0);
    fail?.(new Error('unreadable'));
    expect(noticesOf(outlet.messages)).toEqual([{ event: 'closed', reason: 'log', position: outlet.lastId }]);
    const next = await stream.connect(outlet.lastId);
    await real.publish(range(5, 9));
    await stream.clock.advance(0);
    expect(sorted(numbersOf([...outlet.messages, ...next.outlet.messages]))).toEqual(range(0, 9));
  });

  it('of the last client end the reader a minute later', async () => {
    const stream = openTestStream();
    const { leave } = await stream.connect();
    await stream.publish(range(0, 5));
    leave();
    await stream.clock.advance(59_000);
    expect(stream.clock.sleepers()).toBe(1);
    await stream.clock.advance(5_000);
    expect(stream.clock.sleepers()).toBe(0);
    expect(stream.metrics.value('tocsin_stream_buffer_bytes')).toBe(0);
  });
});
