// What the stream writes, read by a parser that somebody else wrote.
import {
  eventLines,
  heartbeatMessage,
  idLine,
  noticeMessage,
  openingMessage,
} from '@tocsin/topologies/domain/stream/frame.ts';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

function parse(text: string) {
  const events: EventSourceMessage[] = [];
  const retries: number[] = [];
  const comments: string[] = [];
  const errors: unknown[] = [];
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onRetry: (ms) => retries.push(ms),
    onComment: (comment) => comments.push(comment),
    onError: (error) => errors.push(error),
  });
  parser.feed(text);
  return { events, retries, comments, errors };
}

const message = (type: string, json: string): string =>
  eventLines(type, Buffer.from(json)).toString() + idLine('the-position');

describe('an event', () => {
  it('is one message with its type, its bytes and the position', () => {
    const json = '{"event":"finding.new","data":{"title":"Grüße 🛡 \\n\\u2028","cvss":9.80}}';
    expect(message('finding.new', json)).toBe(`event: finding.new\ndata: ${json}\nid: the-position\n\n`);
    expect(parse(message('finding.new', json))).toEqual({
      events: [{ event: 'finding.new', id: 'the-position', data: json }],
      retries: [],
      comments: [],
      errors: [],
    });
  });

  it.each([
    ['line feeds', '{\n  "event": "a.b",\n\n  "data": {}\n}\n', '{\n  "event": "a.b",\n\n  "data": {}\n}\n'],
    ['carriage returns', '{\r"event":\r\n"a.b"\r}', '{\n"event":\n"a.b"\n}'],
    ['a space in front', '  {"event":"a.b"}', '  {"event":"a.b"}'],
    [
      'a field name in front',
      '{"event":\n"a.b",\n"id":1,"x":"data: y"}',
      '{"event":\n"a.b",\n"id":1,"x":"data: y"}',
    ],
  ])('keeps %s', (_, json, data) => {
    const { events } = parse(message('a.b', json));
    expect(events).toEqual([{ event: 'a.b', id: 'the-position', data }]);
    expect(JSON.parse(events[0]!.data)).toEqual(JSON.parse(json));
  });

  it('is byte for byte the event whatever it holds, on one line when it has one', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.json(),
        fc.constantFrom('', '\n', '\r', '\r\n', '\n\n'),
        (type, data, space) => {
          const json = `{"event":${JSON.stringify(type)},${space}"data":${data}}`;
          const { events, errors } = parse(message(type, json));
          expect([events.length, errors.length]).toEqual([1, 0]);
          expect(events[0]!.id).toBe('the-position');
          expect(events[0]!.data).toBe(json.replaceAll('\r\n', '\n').replaceAll('\r', '\n'));
        },
      ),
    );
  });

  it.each([
    'gap',
    'lagging',
    'closed',
    'error',
    'open',
    '',
    'a.b\nid: 1',
    'a.b\r\n\r\nevent: gap',
    'a.b\u0000',
    'a .b',
    ' a.b',
    `a.${'b'.repeat(200)}`,
    'é.x',
  ])('of the type %j cannot pass for a message of the stream: it has no name', (type) => {
    expect(parse(message(type, '{}')).events).toEqual([{ id: 'the-position', event: undefined, data: '{}' }]);
  });
});

it('says of itself what is missing, and where it stands at the end', () => {
  const gap = { topic: 'findings', partition: 3, from: 10, to: 20, reason: 'retention' } as const;
  expect(parse(noticeMessage({ name: 'gap', data: gap }, 'P')).events).toEqual([
    { event: 'gap', id: 'P', data: JSON.stringify({ ...gap, position: 'P' }) },
  ]);
  expect(parse(noticeMessage({ name: 'closed', data: { reason: 'shutdown' } }, 'P')).events).toEqual([
    { event: 'closed', id: 'P', data: '{"reason":"shutdown","position":"P"}' },
  ]);
});

it('begins with a time to come back after and a position; hearts beat with one; neither is an event', () => {
  expect(parse(openingMessage(3_000, 'P', ['every type\nin events is excluded']))).toEqual({
    events: [],
    retries: [3_000],
    comments: ['every type in events is excluded'],
    errors: [],
  });
  expect(parse(heartbeatMessage('P'))).toEqual({
    events: [],
    retries: [],
    comments: ['heartbeat'],
    errors: [],
  });
});

it('a position without data is what a client remembers', () => {
  const ids: string[] = [];
  createParser({ onId: (id) => ids.push(id) }).feed(heartbeatMessage('P'));
  expect(ids).toEqual(['P']);
});
