// The HEC sink: the contract of all sinks, the envelope of the source document, the reply table, the token.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { SinkConfigError } from '../../domain/sink/define-sink.ts';
import { SecretValue } from '../../ports/secrets.ts';
import { contractConnection, contractToken, frameAll, responseOf, sinkContract } from '../contract.ts';
import { splunkHec } from './sink.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
const finding = fixture('finding.json').trim();

/** Concatenated JSON by trying JSON.parse at every closing brace. */
function parseBody(body: string): unknown[] {
  const values: unknown[] = [];
  let from = 0;
  for (let at = body.indexOf('}'); at >= 0; at = body.indexOf('}', at + 1))
    try {
      values.push(JSON.parse(body.slice(from, at + 1)));
      from = at + 1;
    } catch {}
  expect(body.slice(from).trim()).toBe('');
  return values;
}

const success = responseOf(200, { text: 'Success', code: 0 });
sinkContract('splunk-hec', splunkHec, {
  // A raw line is the event itself; envelopes always have a source type.
  eventOf: (frame) => {
    const object = frame as Record<string, unknown>;
    return Object.hasOwn(object, 'sourcetype') ? object.event : object;
  },
  parseBody,
  success,
});

const frames = (params: Record<string, unknown>, values: readonly string[]): Record<string, unknown>[] =>
  parseBody(frameAll(splunkHec.open(params, contractConnection), values).toString()) as Record<
    string,
    unknown
  >[];

describe('envelope', () => {
  it('B26, B28 to B30: is that of the source document, with time and host', () => {
    expect(frames({ index: 'security' }, [finding])).toEqual([JSON.parse(fixture('envelope.json'))]);
  });

  it('B27: leaves the index to the token when none is set', () => {
    expect(Object.keys(frames({}, [finding])[0]!).sort()).toEqual([
      'event',
      'host',
      'source',
      'sourcetype',
      'time',
    ]);
  });

  it('writes any sequence of times as decimal seconds', () => {
    const times = [
      1e12,
      1e12 + 1,
      1_777_377_600_000,
      1_777_377_600_009,
      1_777_400_000_100,
      1_777_399_999_999,
    ];
    times.push(2_147_483_648_000, 9_999_999_999_999, 4_102_444_799_999, 4_102_444_800_000, 1e12);
    const body = frameAll(
      splunkHec.open({}, contractConnection),
      times.map((ms) => JSON.stringify({ timestamp: new Date(ms).toISOString() })),
    ).toString();
    expect([...body.matchAll(/"time":([\d.]+),/g)].map(([, time]) => time)).toEqual(
      times.map((ms) => (ms / 1000).toFixed(3)),
    );
  });

  it('B28: takes the time from the event, else from the record, and changes it from event to event', () => {
    const times = [
      '2026-04-28T12:00:00.123Z',
      '2026-04-28T14:00:00.5+02:00',
      'yesterday',
      '2026-12-31T23:59:59.999Z',
      '1969-07-20T20:17:40Z',
    ];
    const values = [
      ...times.map((timestamp) => JSON.stringify({ timestamp })),
      '{"data":{"timestamp":"2001-01-01T00:00:00Z"}}',
    ];
    expect(frames({}, values).map(({ time }) => time)).toEqual([
      1777377600.123, 1777377600.5, 1777377600, 1798761599.999, 1777377600, 1777377600,
    ]);
    expect(frames({ time: 'record' }, values).map(({ time }) => time)).toEqual(values.map(() => 1777377600));
    expect(frames({ time: 'none' }, values).every((frame) => !('time' in frame))).toBe(true);
  });

  it('writes the milliseconds', () => {
    const body = frameAll(splunkHec.open({}, contractConnection), [
      '{"timestamp":"2026-04-28T12:00:00.007Z"}',
    ]).toString();
    expect(body).toContain('"time":1777377600.007,');
  });

  it('takes the host from the asset name, or from the parameter; long or odd names are left out', () => {
    const named = (name: unknown): string => JSON.stringify({ data: { asset: { name } } });
    expect(frames({}, [named('a"b\\c é')])[0]!.host).toBe('a"b\\c é');
    for (const name of ['', 'x'.repeat(300), 7, null, { name: 'x' }])
      expect(frames({}, [named(name)])[0]).not.toHaveProperty('host');
    expect(frames({ host: 'scanner"1' }, [named('a')])[0]!.host).toBe('scanner"1');
  });

  it('adds topic, partition and offset when tracking', () => {
    expect(frames({ track: true }, ['{}', '{}']).map(({ fields }) => fields)).toEqual([
      { kafka_topic: 'findings.v1', kafka_partition: '0', kafka_offset: '0' },
      { kafka_topic: 'findings.v1', kafka_partition: '0', kafka_offset: '1' },
    ]);
  });

  it('adds the fields of the parameters to every event, beside those of tracking', () => {
    const fields = { site: 'İst "1"', shard: 7 };
    expect(frames({ fields }, ['{}', finding]).map((frame) => frame.fields)).toEqual([fields, fields]);
    expect(frames({ fields, track: true }, ['{}'])[0]!.fields).toEqual({
      ...fields,
      kafka_topic: 'findings.v1',
      kafka_partition: '0',
      kafka_offset: '0',
    });
  });

  it('compresses only when asked', async () => {
    const { gunzipSync } = await import('node:zlib');
    expect(splunkHec.open({}, contractConnection).compress).toBeUndefined();
    const wire = splunkHec.open({ gzip: true }, contractConnection);
    expect(gunzipSync(await wire.compress!(Buffer.from(finding))).toString()).toBe(finding);
    expect(wire.request(Buffer.alloc(0)).headers).toContainEqual(['content-encoding', 'gzip']);
  });
});

describe('replies', () => {
  const { judge } = splunkHec.open({}, contractConnection);
  const cases = JSON.parse(fixture('replies.json')) as {
    code: number;
    status: number;
    expect: string;
    slow?: boolean;
  }[];

  it.each(cases)('code $code with HTTP $status: $expect', ({ code, status, expect: expected, slow }) => {
    const verdict = judge(responseOf(status, { text: 'x', code }), 10, 0);
    expect(verdict.class).toBe(expected);
    if (slow !== undefined) expect(verdict).toHaveProperty('slowDown', slow);
  });

  it('covers every code from 0 to 27', () => {
    expect(new Set(cases.map(({ code }) => code).filter((code) => code <= 27)).size).toBe(28);
  });

  const refused = { text: 'Invalid data format', code: 6, 'invalid-event-number': 3 };
  it('trusts the prefix of real Splunk only', () => {
    expect(judge(responseOf(400, refused), 10, 0)).toMatchObject({ index: 3, prefixStored: false });
    expect(judge(responseOf(400, refused, { server: 'Splunkd' }), 10, 0)).toMatchObject({
      index: 3,
      prefixStored: true,
    });
    expect(judge(responseOf(400, { ...refused, ackId: 7 }), 10, 0)).toMatchObject({
      index: 3,
      prefixStored: true,
    });
    expect(judge(responseOf(400, refused, { server: 'nginx' }), 10, 0)).toMatchObject({
      prefixStored: false,
    });
  });

  it.each([10, 11, -1, 2.5, '3', null])('does not believe event number %j of 10', (number) => {
    expect(
      judge(responseOf(400, { ...refused, 'invalid-event-number': number }, { server: 'Splunkd' }), 10, 0),
    ).toMatchObject({
      class: 'event-fault',
      index: null,
      prefixStored: false,
    });
  });

  it('busy after some events: only the rest is sent again', () => {
    const busy = { text: 'Server is busy', code: 9, 'invalid-event-number': 4 };
    expect(judge(responseOf(503, busy, { server: 'Splunkd' }), 10, 0)).toMatchObject({
      class: 'transient',
      accepted: 4,
    });
    expect(judge(responseOf(503, busy), 10, 0)).toMatchObject({ class: 'transient', accepted: 0 });
  });
});

describe('requests', () => {
  const open = (config: object, token: string | null = contractToken, params = {}) =>
    splunkHec.open(params, {
      config: { kind: 'connection', id: 'splunk', type: 'http', host: 'splunk.example.com', ...config },
      secrets: token === null ? {} : { token: new SecretValue(token) },
    } as ResolvedConnection);
  const urls = (wire: ReturnType<typeof open>): string[] => [
    wire.request(Buffer.alloc(0)).url,
    wire.probe().url,
  ];

  it('B24: go to port 8088 over https unless the connection says otherwise', () => {
    expect(urls(open({}))).toEqual([
      'https://splunk.example.com:8088/services/collector/event',
      'https://splunk.example.com:8088/services/collector/health/1.0',
    ]);
    expect(urls(open({ host: '::1', port: 443 }))).toEqual([
      'https://[::1]/services/collector/event',
      'https://[::1]/services/collector/health/1.0',
    ]);
    expect(urls(open({ protocol: 'http', allow_insecure: true, port: 80 }))[0]).toBe(
      'http://splunk.example.com/services/collector/event',
    );
  });

  it('B24: take a path that is given twice once', () => {
    for (const base_path of ['/services/collector/event', '/services/collector', '/services/collector/'])
      expect(urls(open({ base_path }))[0]).toBe('https://splunk.example.com:8088/services/collector/event');
    expect(urls(open({ base_path: '/splunk' }))).toEqual([
      'https://splunk.example.com:8088/splunk/services/collector/event',
      'https://splunk.example.com:8088/splunk/services/collector/health/1.0',
    ]);
    expect(urls(open({}, contractToken, { path: '/services/collector' }))[0]).toBe(
      'https://splunk.example.com:8088/services/collector',
    );
  });

  it.each(['abc-1', 'Splunk abc-1', 'splunk   abc-1', ' abc-1\n'])(
    'B25: token %j becomes one header',
    (token) => {
      for (const auth of [undefined, { type: 'none' }, { type: 'splunk' }])
        expect(open(auth === undefined ? {} : { auth }, token).request(Buffer.alloc(0)).headers[0]).toEqual([
          'authorization',
          'Splunk abc-1',
        ]);
    },
  );

  it('refuse a missing or broken token, and never print it', () => {
    expect(() => open({}, null)).toThrow(SinkConfigError);
    expect(() => open({}, 'a\r\nX: y')).toThrow('connection splunk: secrets.token does not fit in a header');
    expect(() => open({ protocol: 'http' })).toThrow('allow_insecure');
  });

  it('B24: a path of the other endpoint is refused, and so is what the endpoint cannot do', () => {
    expect(splunkHec.check({ path: '/services/collector/raw' })).toHaveLength(1);
    expect(splunkHec.check({ endpoint: 'raw', path: '/services/collector/raw' })).toEqual([]);
    expect(
      splunkHec
        .check({ endpoint: 'raw', path: '/services/collector/event', time: 'none', track: true, fields: {} })
        .map(({ path }) => path),
    ).toEqual(['/path', '/time', '/track', '/fields']);
    expect(splunkHec.check({ ack_poll_ms: 500 })).toEqual([
      { path: '/ack_poll_ms', message: 'is for ack: true only' },
    ]);
    expect(splunkHec.check({ path: '/a/../b' })).toHaveLength(1);
    expect(splunkHec.check({ path: '/services/collector' })).toEqual([]);
  });

  it('to the raw endpoint carry the metadata in the query and always a channel', () => {
    const wire = open({}, contractToken, { endpoint: 'raw', index: 'sec', host: 'a b', sourcetype: 'x&y' });
    const { url, headers } = wire.request(Buffer.alloc(0));
    expect([...new URL(url).searchParams]).toEqual([
      ['source', 's4e'],
      ['sourcetype', 'x&y'],
      ['index', 'sec'],
      ['host', 'a b'],
    ]);
    expect(new URL(url).pathname).toBe('/services/collector/raw');
    expect(new Map(headers).get('x-splunk-request-channel')).toMatch(
      /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    );
    expect(wire.probe().url).toContain('/services/collector/health/1.0');
  });

  it('name all hosts of the destination, each with the port of the connection unless it has its own', () => {
    const wire = open({ hosts: ['idx2.example.com', '10.1.2.3:9088', '[::1]:1', 'splunk.example.com:8088'] });
    expect(wire.origins).toEqual([
      'https://splunk.example.com:8088',
      'https://idx2.example.com:8088',
      'https://10.1.2.3:9088',
      'https://[::1]:1',
    ]);
    for (const host of ['a/b', 'user@a', 'a:0', 'a:99999', 'https://a'])
      expect(() => open({ hosts: [host] })).toThrow('/hosts/0 must be host or host:port');
  });
});

describe('raw lines', () => {
  it('are one line each, whatever white space the event has', () => {
    const pretty = JSON.stringify({ event: 'finding.new', data: { text: 'a\nb' } }, null, 2).replaceAll(
      '\n',
      '\r\n',
    );
    const body = frameAll(splunkHec.open({ endpoint: 'raw' }, contractConnection), [
      pretty,
      '{"a":1}',
    ]).toString();
    const lines = body.split(/[\r\n]/);
    expect(lines).toHaveLength(3);
    expect(lines.slice(0, 2).map((line) => JSON.parse(line))).toEqual([JSON.parse(pretty), { a: 1 }]);
  });
});
