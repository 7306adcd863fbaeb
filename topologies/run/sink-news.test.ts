// What sinks tell of themselves: every record fits its schema, floods are cut and counted, the last state is always told.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { DeliveryAttempt } from '@tocsin/schemas/types.ts';
import { expect, it } from 'vitest';
import type { DeliveryNote } from '../domain/sink/define-sink.ts';
import { fakeClock } from '../ports/fakes/clock.ts';
import { fakeLogger } from '../ports/fakes/logger.ts';
import type { OutRecord } from '../ports/log.ts';
import { createSinkNews } from './sink-news.ts';

function setup(send?: () => Promise<void>) {
  const clock = fakeClock();
  const sent: OutRecord[] = [];
  const stopping = new AbortController();
  const news = createSinkNews({
    sink: 'soc',
    box: {
      async send(records) {
        await send?.();
        sent.push(...records);
      },
    },
    clock,
    logger: fakeLogger(),
    signal: stopping.signal,
    perSecond: 5,
  });
  const on = (topic: string): Record<string, unknown>[] =>
    sent.filter((record) => record.topic === topic).map(({ value }) => JSON.parse(String(value)));
  return { clock, news, sent, on, stopping };
}

const note: DeliveryNote = {
  at: 1_000,
  eventId: 'evt-1',
  source: { topic: 'findings.v1', partition: 0, offset: 3 },
  events: 1,
  attempt: 1,
  status: 'delivered',
  statusCode: 204,
  latencyMs: 12.4,
  payload: Buffer.from('{"event":"finding.new"}'),
};

it('a delivery is a record that fits its schema', async () => {
  const { news, on, clock } = setup();
  news.delivery({ ...note, status: 'retrying', code: 'http_500', detail: 'x'.repeat(3_000), response: 'y' });
  await clock.advance(0);
  const [record] = on('deliveries.v1');
  expect(checkDocument('delivery.json', record)).toEqual([]);
  expect(record).toMatchObject({
    sink: 'soc',
    event: 'finding.new',
    event_id: 'evt-1',
    status: 'retrying',
    latency_ms: 12,
    source: { offset: 3 },
  });
});

it('a flood of successes is cut and counted, and hides no failure', async () => {
  const { news, on, clock } = setup();
  for (let k = 0; k < 1_000; k++) news.delivery(note);
  news.delivery({ ...note, status: 'refused', code: 'http_400', detail: 'x' });
  await clock.advance(1_000);
  news.delivery(note);
  await clock.advance(0);
  const records = on('deliveries.v1') as unknown as DeliveryAttempt[];
  expect(records.map(({ status }) => status)).toEqual([
    ...Array(5).fill('delivered'),
    'refused',
    'delivered',
  ]);
  expect(records.reduce((sum, { omitted = 0 }) => sum + omitted + 1, 0)).toBe(1_002);
});

it('a log that takes nothing holds a bounded number of records', async () => {
  let calls = 0;
  const { news, clock } = setup(() => {
    calls += 1;
    return new Promise(() => undefined);
  });
  for (let k = 0; k < 500; k++) {
    for (let n = 0; n < 5; n++) news.delivery(note);
    await clock.advance(1_000);
  }
  expect(calls).toBe(1_000);
});

it('B4: a pause is an alert at once, and what flaps ends in its last state', async () => {
  const { news, on, clock } = setup();
  const fault = { code: 'http_410', detail: 'gone' };
  news.state(fault);
  await clock.advance(10);
  expect(on('events.v1')).toEqual([
    expect.objectContaining({
      event: 'system.alert',
      data: expect.objectContaining({
        code: 'sink_paused',
        component: 'sinks/soc',
        severity: 'high',
        reason: 'http_410',
      }),
    }),
  ]);
  for (const record of on('events.v1')) expect(checkDocument('envelope.json', record)).toEqual([]);
  for (const record of on('deliveries.v1')) expect(checkDocument('delivery.json', record)).toEqual([]);
  for (let k = 0; k < 9; k++) news.state(k % 2 === 0 ? null : fault);
  await clock.advance(59_000);
  expect(on('events.v1')).toHaveLength(1);
  await clock.advance(2_000);
  expect(on('events.v1').map(({ data }) => (data as { code: string }).code)).toEqual([
    'sink_paused',
    'sink_resumed',
  ]);
  expect(on('deliveries.v1').map(({ paused }) => paused)).toEqual([true, false]);
});

it('tells nothing of a sink that is stopped', async () => {
  const { news, sent, stopping, clock } = setup();
  stopping.abort();
  news.state({ code: 'x', detail: 'x' });
  await clock.advance(0);
  expect(sent).toEqual([]);
});
