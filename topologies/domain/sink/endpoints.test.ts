// Several hosts of one destination: the table of them, and requests that go round those that are down.
import { expect, it } from 'vitest';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { HttpFailure, type HttpPort } from '../../ports/http.ts';
import { contractConnection } from '../../sinks/contract.ts';
import { splunkHec } from '../../sinks/splunk-hec/sink.ts';
import { createEndpoints } from './endpoints.ts';

it('takes hosts in turn, past those that are down, and asks these again after a growing time', () => {
  const endpoints = createEndpoints(3);
  const picks = (count: number): number[] => Array.from({ length: count }, () => endpoints.pick());
  expect(picks(4)).toEqual([0, 1, 2, 0]);
  expect(endpoints.report(1, false, 0, 0.5)).toBe(true);
  expect(new Set(picks(6))).toEqual(new Set([0, 2]));
  expect(endpoints.due(700)).toBeNull();
  expect(endpoints.due(751)).toBe(1);
  // It is being asked.
  expect(endpoints.due(751)).toBeNull();
  expect(endpoints.report(1, false, 751, 0.5)).toBe(false);
  expect(endpoints.due(751 + 1_400)).toBeNull();
  expect(endpoints.due(751 + 1_501)).toBe(1);
  endpoints.report(1, true, 2_300, 0.5);
  expect(new Set(picks(3))).toEqual(new Set([0, 1, 2]));
});

it('with all of them down goes to the one that is due first', () => {
  const endpoints = createEndpoints(2);
  endpoints.report(0, false, 5_000, 0.5);
  endpoints.report(1, false, 0, 0.5);
  expect(endpoints.anyUp()).toBe(false);
  expect(endpoints.pick()).toBe(1);
});

async function setup() {
  const clock = fakeClock();
  const down = new Set<string>();
  const busy = new Set<string>();
  const posts: string[] = [];
  const asked: string[] = [];
  const http: HttpPort = {
    async send({ url, method }) {
      const { hostname } = new URL(url);
      (method === 'GET' ? asked : posts).push(hostname);
      if (down.has(hostname)) throw new HttpFailure('connect', 'refused', { sent: false });
      const body =
        method === 'GET'
          ? { code: 17 }
          : busy.has(hostname)
            ? { code: 9, 'invalid-event-number': 2 }
            : { code: 0 };
      const status = 'invalid-event-number' in body || (method === 'GET' && busy.has(hostname)) ? 503 : 200;
      return {
        status,
        headers: { server: 'Splunkd' },
        body: Buffer.from(JSON.stringify({ text: '', ...body })),
        truncated: false,
      };
    },
  };
  const news: [string, boolean][] = [];
  const wire = splunkHec.open(
    {},
    {
      ...contractConnection,
      config: { kind: 'connection', id: 'splunk', type: 'http', host: 'a.example', hosts: ['b.example'] },
    },
  );
  const receiver = wire.receiver(
    { http },
    {
      clock,
      random: () => 0.5,
      signal: new AbortController().signal,
      inFlight: 4,
      onEndpoint: (origin, up) => void news.push([origin, up]),
      onResent: () => undefined,
      onRetry: () => undefined,
    },
  );
  const send = () => receiver.send(Buffer.from('{"event":1}'), 5);
  return { clock, down, busy, posts, asked, news, send, receiver };
}

it('a host that is down costs one attempt; its events go to the other at once', async () => {
  const { clock, down, posts, asked, news, send } = await setup();
  down.add('a.example');
  expect(await send()).toMatchObject({
    class: 'transient',
    afterMs: 0,
    detail: expect.stringContaining('a.example'),
  });
  for (let k = 0; k < 5; k++) expect(await send()).toMatchObject({ class: 'delivered' });
  expect(posts).toEqual(['a.example', ...Array.from({ length: 5 }, () => 'b.example')]);
  expect(news).toEqual([['https://a.example:8088', false]]);
  // Asked in the background, without an event, until it is back.
  await clock.advance(1_000);
  await send();
  await clock.advance(0);
  expect(asked).toEqual(['a.example']);
  down.clear();
  await clock.advance(2_000);
  await send();
  await clock.advance(0);
  await send();
  await send();
  expect(news.at(-1)).toEqual(['https://a.example:8088', true]);
  expect(posts.slice(-2)).toContain('a.example');
});

it('503 code 9 of one host: what it took is kept, the rest goes to the other', async () => {
  const { busy, send } = await setup();
  busy.add('a.example');
  expect(await send()).toMatchObject({ class: 'transient', afterMs: 0, accepted: 2 });
  expect(await send()).toMatchObject({ class: 'delivered' });
});

it('with all down the verdict is that of one host, and a probe finds the first that is back', async () => {
  const { down, send, receiver } = await setup();
  down.add('a.example').add('b.example');
  await send();
  expect(await send()).toMatchObject({ class: 'transient', afterMs: null });
  expect(await receiver.probe()).toBe(false);
  down.delete('b.example');
  expect(await receiver.probe()).toBe(true);
  expect(await send()).toMatchObject({ class: 'delivered' });
});
