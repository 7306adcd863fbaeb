// The Elasticsearch sink: the contract of all sinks, the lines of a _bulk body, what answers mean, requests and credentials.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { type HttpExchange, SinkConfigError } from '../../domain/sink/define-sink.ts';
import { SecretValue } from '../../ports/secrets.ts';
import { contractConnection, contractToken, frameAll, responseOf, sinkContract } from '../contract.ts';
import { elasticsearch } from './sink.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
const finding = fixture('finding.json');

interface Pair {
  readonly action: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly document: Record<string, unknown>;
}

/** As the servers do: a line for the action, a line for its document, a line feed after the last one. */
function parseBody(body: string): Pair[] {
  const lines = body.split('\n');
  expect(lines.pop()).toBe('');
  expect(lines.length % 2).toBe(0);
  return Array.from({ length: lines.length / 2 }, (_, k) => ({
    action: JSON.parse(lines[2 * k]!),
    document: JSON.parse(lines[2 * k + 1]!),
  }));
}

const all201 = (count: number): string =>
  JSON.stringify({
    errors: false,
    items: Array.from({ length: count }, () => ({ create: { status: 201 } })),
  });

sinkContract('elasticsearch', elasticsearch, {
  eventOf(frame) {
    const { '@timestamp': stamp, ...event } = (frame as Pair).document;
    expect(typeof stamp).toBe('string');
    return event;
  },
  parseBody,
  success: responseOf(200, all201(10)),
});

const open = (params: Record<string, unknown> = {}): HttpExchange =>
  elasticsearch.open(params, contractConnection);
const bodyOf = (params: Record<string, unknown>, values: readonly string[]): string =>
  frameAll(open(params), values).toString();
const pairs = (params: Record<string, unknown>, values: readonly string[]): Pair[] =>
  parseBody(bodyOf(params, values));

describe('B39: the lines', () => {
  it('are those of the documentation: action, document, line feed', () => {
    // Elasticsearch Guide, Bulk API: { "create" : { "_index" : "test", "_id" : "3" } } and { "field1" : "value3" }
    expect(bodyOf({ index: 'test-%{+yyyy}', timestamp: false }, ['{ "id": "3", "field1" : "value3" }'])).toBe(
      '{"create":{"_index":"test-2026","_id":"3"}}\n{ "id": "3", "field1" : "value3" }\n',
    );
  });

  it('B35, B36: of the finding of the source document go into its month, with the time of the event', () => {
    const indented = finding.trim();
    expect(indented).toContain('\n');
    expect(bodyOf({}, [indented, '{"timestamp":"2026-05-01T00:00:00Z"}'])).toBe(
      `{"create":{"_index":"s4e-events-2026.04","_id":"findings.v1-0-0-1777377600000"}}\n` +
        `{"@timestamp":"2026-04-28T12:00:00Z",${indented.slice(1).replaceAll('\n', ' ')}\n` +
        `{"create":{"_index":"s4e-events-2026.05","_id":"findings.v1-0-1-1777377600000"}}\n` +
        `{"@timestamp":"2026-05-01T00:00:00Z","timestamp":"2026-05-01T00:00:00Z"}\n`,
    );
  });

  it('leave the index to the URL when it is always the same', () => {
    expect(bodyOf({ index: 'logs-s4e-default', timestamp: false }, ['{"id":"x"}'])).toBe(
      '{"create":{"_id":"x"}}\n{"id":"x"}\n',
    );
  });

  it('B39: of updates carry an external version that grows with the log', () => {
    const params = { index: 'f', mode: 'update', id_field: '[data][finding_id]', timestamp: false };
    const event = '{"data":{"finding_id":"f-1"}}';
    expect(bodyOf(params, [event, event])).toBe(
      `{"index":{"_id":"f-1","version_type":"external","version":0}}\n${event}\n` +
        `{"index":{"_id":"f-1","version_type":"external","version":1}}\n${event}\n`,
    );
    expect(bodyOf({ ...params, version: 'time' }, [event])).toBe(
      `{"index":{"_id":"f-1","version_type":"external_gte","version":1777377600000}}\n${event}\n`,
    );
  });
});

describe('B35: @timestamp', () => {
  const stampOf = (event: string): unknown => pairs({}, [event])[0]!.document['@timestamp'];

  it.each([
    ['2026-04-28T12:00:00Z', '2026-04-28T12:00:00Z'],
    ['2026-04-28T12:00:00.123456789Z', '2026-04-28T12:00:00.123456789Z'],
    ['2026-04-28T14:00:00+02:00', '2026-04-28T14:00:00+02:00'],
    // RFC 3339 allows these, strict_date_optional_time does not.
    ['2026-04-28t12:00:00z', '2026-04-28T12:00:00.000Z'],
    ['2026-04-28 12:00:00.5Z', '2026-04-28T12:00:00.500Z'],
    ['yesterday', '2026-04-28T12:00:00.000Z'],
  ])('of %s is %s', (timestamp, expected) => {
    expect(stampOf(JSON.stringify({ timestamp }))).toBe(expected);
  });

  it('is the time of the record without one', () => {
    expect(stampOf('{}')).toBe('2026-04-28T12:00:00.000Z');
    expect(stampOf('{"data":{"timestamp":"2001-01-01T00:00:00Z"}}')).toBe('2026-04-28T12:00:00.000Z');
  });

  it.each(['"2020-02-02T02:02:02Z"', '1580608922000', 'null', '{"a":1}', '[]', 'true', '""'])(
    'that is there (%s) stays the only one',
    (own) => {
      const event = `{"timestamp":"2026-04-28T12:00:00Z","@timestamp":${own}}`;
      const body = bodyOf({}, [event]);
      expect(body.split('\n')[1]).toBe(event);
    },
  );

  it('names the index when there is no timestamp', () => {
    expect(pairs({}, ['{"@timestamp":"2020-02-02T02:02:02Z"}'])[0]!.action.create!._index).toBe(
      's4e-events-2020.02',
    );
  });
});

describe('ids', () => {
  const idOf = (event: string, params = {}): string =>
    pairs(params, [event])[0]!.action.create!._id as string;

  it.each(['x', 'evt-01HZX', 'ä 日本 😀', 'a"b\\c', 'x'.repeat(512), 'é'.repeat(256), '\u007f'])(
    'of the event: %j',
    (id) => {
      expect(idOf(JSON.stringify({ id }))).toBe(id);
    },
  );

  it('that are spelled differently are the same', () => {
    expect(idOf(String.raw`{"id":"\u0061\/b"}`)).toBe('a/b');
  });

  it.each(['x'.repeat(513), 'é'.repeat(257), 'x\ud800', 'x\ud801', '"'.repeat(257), '\u0001'.repeat(512)])(
    'that the servers refuse, or that escapes make too long, become hashes (%#)',
    (id) => {
      const hash = idOf(JSON.stringify({ id }));
      expect(hash).toMatch(/^[\w-]{43}$/);
      expect(idOf(JSON.stringify({ id }))).toBe(hash);
      expect(idOf(JSON.stringify({ id: `${id}y` }))).not.toBe(hash);
    },
  );

  it('of two broken texts differ, although both read as replacement characters', () => {
    expect(idOf('{"id":"\\ud800"}')).not.toBe(idOf('{"id":"\\ud801"}'));
  });

  it.each(['{}', '{"id":""}', '{"id":7}', '{"id":null}', '{"data":{"id":"x"}}', '{"id":{"id":"x"}}'])(
    'come from the record for %s',
    (event) => {
      expect(pairs({}, [event, event]).map(({ action }) => action.create!._id)).toEqual([
        'findings.v1-0-0-1777377600000',
        'findings.v1-0-1-1777377600000',
      ]);
    },
  );

  it('come from a field, or else from the event', () => {
    const params = { id_field: 'data.finding_id' };
    expect(idOf('{"id":"e","data":{"finding_id":"f-1"}}', params)).toBe('f-1');
    expect(idOf('{"id":"e","data":{"finding_id":7}}', params)).toBe('7');
    expect(idOf('{"id":"e","data":{}}', params)).toBe('e');
    expect(idOf('{"id":"e","__proto__":{"data":1}}', { id_field: 'constructor.name' })).toBe('e');
  });

  it.each([0, 9, 10, 99_999_999, 100_000_000, 2 ** 31, 2 ** 53 - 1])('hold offset %i', (offset) => {
    const wire = open({ timestamp: false });
    const out = Buffer.alloc(2_000);
    const marks = {
      ...{ timeStart: -1, timeEnd: -1, assetStart: -1, assetEnd: -1, idStart: -1, idEnd: -1 },
      ...{ stampStart: -1, stampEnd: -1, loose: false },
    };
    const batch = { topic: 't', partition: 12, offset: () => offset, timestamp: () => -1 } as never;
    const end = wire.frame(out, 0, Buffer.from('{}'), 0, 2, marks, batch, 0);
    expect(out.toString('utf8', 0, end)).toContain(`"_id":"t-12-${offset}-0"`);
  });
});

describe('B39: answers', () => {
  const { judge } = open();
  const answer = (...items: object[]) => responseOf(200, { errors: true, items });
  const cases = JSON.parse(fixture('items.json')) as {
    status: number;
    type?: string;
    expect: string;
    slow?: boolean;
  }[];
  const real = JSON.parse(fixture('answers.json')) as Record<string, { body: string }>;

  it.each(cases)('item status $status $type: $expect', ({ status, type, expect: expected, slow }) => {
    const error = type === undefined ? {} : { error: { type, reason: 'why' } };
    const verdict = judge(answer({ create: { status: 201 } }, { create: { status, ...error } }), 2, 0);
    if (expected === 'stored') expect(verdict).toEqual({ class: 'delivered', slowDown: false, repeated: 0 });
    else if (expected === 'repeated') expect(verdict).toMatchObject({ class: 'delivered', repeated: 1 });
    else
      expect(verdict).toMatchObject({
        class: 'per-event',
        slowDown: slow === true,
        events: [{ index: 1, class: expected, code: type === '' ? `http_${status}` : `es_${type}` }],
      });
  });

  it.each(['opensearch-2.19.1', 'opensearch-2.19.1-unfiltered'])('of a real server, %s', (name) => {
    expect(judge(responseOf(200, real[name]!.body), 4, 0)).toMatchObject({
      class: 'per-event',
      repeated: 1,
      events: [
        {
          index: 2,
          class: 'event-fault',
          // Not the value: it is in the dead letter, and error texts go into logs.
          detail:
            "item status 400, mapper_parsing_exception: failed to parse field [n] of type [integer] in document with id 'b'",
        },
        { index: 3, class: 'event-fault' },
      ],
    });
  });

  it('of a real server that is full', () => {
    expect(judge(responseOf(200, real['elasticsearch-7.0-rejected']!.body), 1, 0)).toMatchObject({
      class: 'per-event',
      slowDown: true,
      events: [{ index: 0, class: 'transient' }],
    });
  });

  it('of a real server to a request that one event spoiled: found by halving', () => {
    expect(judge(responseOf(400, real['opensearch-2.19.1-too-long-id']!.body), 9, 0)).toMatchObject({
      class: 'event-fault',
      index: null,
      prefixStored: false,
    });
  });

  it('without errors have the one shape that is not parsed', () => {
    expect(all201(1)).toBe(real['opensearch-2.19.1-all-well']!.body);
  });

  it.each([1, 2, 2_500])('without errors for %i events are delivery, parsed or not', (count) => {
    expect(judge(responseOf(200, all201(count)), count, 0).class).toBe('delivered');
    expect(judge(responseOf(200, ` ${all201(count)}`), count, 0).class).toBe('delivered');
  });

  it.each([
    ['one item more', all201(11)],
    ['one item less', all201(9)],
    ['no items', '{"errors":false}'],
    ['items that are none', '{"errors":false,"items":[1,2,3,4,5,6,7,8,9,10]}'],
    ['statuses that are none', all201(10).replaceAll('201', '"201"')],
    ['the length of ten items and no end', `${all201(10).slice(0, -3)}   `],
  ])('with %s are no delivery', (_, body) => {
    expect(judge(responseOf(200, body), 10, 0)).toMatchObject({ class: 'transient', code: 'es_bad_answer' });
  });

  it('that say false and are not all well are read', () => {
    const one = { create: { status: 429, error: { type: 'es_rejected_execution_exception' } } };
    expect(judge(responseOf(200, { errors: false, items: [one] }), 1, 0)).toMatchObject({
      class: 'per-event',
    });
  });

  it('that are too long for us make requests smaller, down to one event', () => {
    const long = { ...responseOf(200, Buffer.alloc(16 * 2 ** 20, 'x').toString()), truncated: true };
    expect(judge(long, 2, 0).class).toBe('too-large');
    expect(judge(long, 1, 0).class).toBe('transient');
  });

  it.each([
    [200, true],
    [403, true],
    [404, true],
    [401, false],
    [429, false],
    [503, false],
  ])('of the probe: %i', (status, expected) => {
    expect(open().judgeProbe(responseOf(status))).toBe(expected);
  });
});

describe('requests', () => {
  const connected = (config: object, secrets: Record<string, string> = {}, params = {}): HttpExchange =>
    elasticsearch.open(params, {
      config: { kind: 'connection', id: 'elk', type: 'http', host: 'elk.example.com', ...config },
      secrets: Object.fromEntries(
        Object.entries(secrets).map(([name, text]) => [name, new SecretValue(text)]),
      ),
    } as ResolvedConnection);
  const headers = (wire: HttpExchange): Record<string, string> =>
    Object.fromEntries(wire.request(Buffer.alloc(0)).headers);
  const answerFields = 'filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason';

  it('go to port 9200 over https unless the connection says otherwise', () => {
    expect(connected({}).request(Buffer.alloc(0)).url).toBe(
      `https://elk.example.com:9200/_bulk?${answerFields}`,
    );
    expect(
      connected({ port: 443, base_path: '/es' }, {}, { index: 'logs-s4e-default' }).request(Buffer.alloc(0))
        .url,
    ).toBe(`https://elk.example.com/es/logs-s4e-default/_bulk?${answerFields}`);
    expect(connected({ base_path: '/es/' }).probe().url).toBe('https://elk.example.com:9200/es/');
    expect(connected({}, {}, { pipeline: 's4e', routing: 'r1' }).request(Buffer.alloc(0)).url).toBe(
      `https://elk.example.com:9200/_bulk?${answerFields}&pipeline=s4e&routing=r1`,
    );
  });

  it('are NDJSON without a charset, compressed when asked', async () => {
    expect(headers(connected({}))).toEqual({ 'content-type': 'application/x-ndjson' });
    const wire = connected({}, {}, { gzip: true });
    expect(headers(wire)['content-encoding']).toBe('gzip');
    expect(gunzipSync(await wire.compress!(Buffer.from(finding))).toString()).toBe(finding);
  });

  it.each([
    ['VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==', undefined],
    ['ApiKey VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==\n', undefined],
    ['VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw', { type: 'none' }],
  ])('B37: carry the API key of the documentation (%#)', (token, auth) => {
    // Elasticsearch Guide, Create API key: id, api_key and their encoded form.
    expect(headers(connected(auth === undefined ? {} : { auth }, { token })).authorization).toBe(
      'ApiKey VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==',
    );
  });

  it('B37: carry user and password', () => {
    const auth = { type: 'basic', username: 'elastic' };
    expect(headers(connected({ auth }, { password: 'pa:ss' })).authorization).toBe(
      `Basic ${Buffer.from('elastic:pa:ss').toString('base64')}`,
    );
    expect(() => connected({ auth }, { password: 'changeme' })).toThrow(/secrets.password is the one/);
  });

  it('are refused without what they need, and print no secret', () => {
    expect(() => connected({ auth: { type: 'basic', username: 'x' } })).toThrow(SinkConfigError);
    expect(() => connected({}, { token: 'a\r\nX: y' })).toThrow(
      'connection elk: secrets.token is no API key',
    );
    expect(() => connected({ protocol: 'http' }, { token: contractToken })).toThrow('allow_insecure');
  });
});

describe('parameters', () => {
  it.each([
    [{ index: 'Findings' }, '/index'],
    [{ index: 'a b' }, '/index'],
    [{ index: '.kibana' }, '/index'],
    [{ index: '%{[data][x]}' }, '/index'],
    [{ index: 'a-%{+QQ}' }, '/index'],
    [{ index: 'a-%{+YYYY.MM' }, '/index'],
    [{ index: `${'a'.repeat(250)}%{+YYYY.MM}` }, '/index'],
    [{ index: 'a', index_suffix: 'B' }, '/index'],
    [{ id_field: '[data' }, '/id_field'],
    [{ version: 'time' }, '/version'],
  ])('%j is refused', (params, path) => {
    expect(elasticsearch.check(params).map((issue) => issue.path)).toEqual([path]);
  });

  it('B36: a suffix comes after a hyphen', () => {
    expect(open({ index: 's4e', index_suffix: 'prod' }).request(Buffer.alloc(0)).url).toContain(
      '/s4e-prod/_bulk',
    );
    expect(pairs({ index_suffix: '%{[env]}' }, ['{"env":"EU 1"}'])[0]!.action.create!._index).toBe(
      's4e-events-2026.04-eu_1',
    );
  });
});
