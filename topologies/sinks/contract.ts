// What every sink type must hold, as test cases that run over each entry of the registry.
//
// Invariant: every expectation here comes from outside the sink: JSON.parse, the manifest's own examples, the status classes
// of RFC 9110.
import { readdirSync } from 'node:fs';
import { compileCheck } from '@tocsin/schemas/codecs/validate.ts';
import { describe, expect, it } from 'vitest';
import type { ResolvedConnection } from '../domain/action/define-action.ts';
import type { BatchVerdict, HttpSink, Sink, SinkFrames } from '../domain/sink/define-sink.ts';
import { checkObject, createMarks } from '../domain/sink/splice-check.ts';
import { HttpFailure, type HttpFailureClass, type HttpResponse } from '../ports/http.ts';
import { SecretValue } from '../ports/secrets.ts';
import { batchOf } from '../testing/batches.ts';

export interface SinkFixtures {
  /** The event inside one frame, as the receiver will parse it. */
  readonly eventOf: (frame: unknown) => unknown;
  /** Splits a body into frames with a parser that is not ours. */
  readonly parseBody: (body: string) => unknown[];
  /** The answer that means that everything was stored. */
  readonly success: HttpResponse;
}

/** The secret that must show up nowhere but in headers. */
export const contractToken = 'c0ffee00-dead-4bad-8bad-5ec2e75ec2e7';

export const contractConnection: ResolvedConnection = {
  config: { kind: 'connection', id: 'receiver', type: 'http', host: 'receiver.example.com' },
  secrets: { token: new SecretValue(contractToken) },
};

export function responseOf(
  status: number,
  body: unknown = '',
  headers: Record<string, string> = {},
): HttpResponse {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers, body: Buffer.from(text), truncated: false };
}

/** One body with all values framed; every value must pass the splice check. */
export function frameAll(wire: SinkFrames, values: readonly string[]): Buffer {
  const batch = batchOf(values);
  const out = Buffer.alloc(
    values.reduce((sum, value) => sum + Buffer.byteLength(value) + wire.overheadBytes, 0),
  );
  const marks = createMarks();
  let at = 0;
  for (let i = 0; i < batch.count; i++) {
    const [start, end] = [batch.valueStart[i]!, batch.valueEnd[i]!];
    expect(checkObject(batch.buffer, start, end, marks)).toBe(0);
    const next = wire.frame(out, at, batch.buffer, start, end, marks, batch, i);
    expect(next - at).toBeLessThanOrEqual(end - start + wire.overheadBytes);
    at = next;
  }
  return out.subarray(0, at);
}

/** Events that are unusual but forwarded all the same. */
export const awkward = [
  '{}',
  '{"event":"finding.new","timestamp":"2026-04-28T12:00:00Z","data":{"asset":{"name":"api.example.com"}}}',
  '{"a":"\\"},{\\"event\\":\\"x"}',
  ' {"a" : [1, 2.5e-3, true, null] }\n',
  '{"data":{"asset":{"name":"\\ud800 \\u0000 é 😀"}}}',
  `{"data":{"asset":{"name":"${'x'.repeat(1000)}"}}}`,
  '{"timestamp":"9999-99-99T99:99:99Z"}',
  '{"timestamp":"0001-01-01T00:00:00Z","data":{"asset":{"name":""}}}',
];

/** What holds for every sink, whatever carries its frames. `files` are those that it has beside the manifest and the README. */
export function commonContract(name: string, sink: Pick<Sink, 'manifest' | 'check'>, files: string[]): void {
  const checkParams = compileCheck(sink.manifest.params);

  describe(`sink ${name}`, () => {
    it('is named like its folder and has the files of a sink', () => {
      expect(sink.manifest.id).toBe(name);
      expect(readdirSync(new URL(`./${name}/`, import.meta.url))).toEqual(
        expect.arrayContaining(['manifest.ts', 'sink.ts', 'README.md', 'fixtures', ...files]),
      );
    });

    it('refuses unknown parameters and accepts its examples', () => {
      expect(checkParams({ no_such_parameter: 1 })).toEqual([
        { path: '/no_such_parameter', message: 'unknown field' },
      ]);
      for (const { params } of sink.manifest.examples) {
        expect(checkParams(params)).toEqual([]);
        expect(sink.check(params)).toEqual([]);
      }
    });

    it('describes every parameter', () => {
      for (const schema of Object.values(
        sink.manifest.params.properties as Record<string, { description?: string }>,
      ))
        expect(schema.description).toMatch(/\.$/);
    });
  });
}

export function sinkContract(name: string, sink: HttpSink, fixtures: SinkFixtures): void {
  const judge = (response: HttpResponse): BatchVerdict =>
    sink.open({}, contractConnection).judge(response, 10, 0);
  commonContract(name, sink, ['request.ts', 'judge.ts']);

  describe(`sink ${name} over HTTP`, () => {
    it.each([{}, ...sink.manifest.examples.map(({ params }) => params)])(
      'keeps every event as it is, with %j',
      (params) => {
        const body = frameAll(sink.open(params, contractConnection), awkward).toString();
        expect(fixtures.parseBody(body).map(fixtures.eventOf)).toEqual(
          awkward.map((value) => JSON.parse(value)),
        );
      },
    );

    it('counts only a proper success as delivery', () => {
      expect(judge(fixtures.success).class).toBe('delivered');
      for (const body of ['', '<html>Sign in</html>', '{', '[]', 'null', '{"code":"0"}'])
        expect(judge(responseOf(200, body)).class).toBe('transient');
      expect(judge({ ...fixtures.success, truncated: true }).class).toBe('transient');
    });

    it.each([408, 425, 429, 500, 502, 503, 504, 599])(
      'retries status %i and keeps to Retry-After',
      (status) => {
        for (const body of ['', '<html></html>', '{"x":1}'])
          expect(judge(responseOf(status, body, { 'retry-after': '7' }))).toMatchObject({
            class: 'transient',
            afterMs: 7_000,
            accepted: 0,
          });
        expect(judge(responseOf(status, '', { 'retry-after': '-5' }))).toMatchObject({ afterMs: 0 });
        expect(judge(responseOf(status, '', { 'retry-after': '1000000000' }))).toMatchObject({
          afterMs: 86_400_000,
        });
      },
    );

    it.each([301, 302, 400, 401, 402, 403, 404, 405, 406, 407, 410, 415, 451])(
      'pauses on a bare %i: nothing is dropped',
      (status) => {
        for (const body of ['', '<html></html>'])
          expect(judge(responseOf(status, body)).class).toBe('sink-fault');
      },
    );

    it('halves on 413', () => {
      expect(judge(responseOf(413, '<html></html>')).class).toBe('too-large');
    });

    it.each<[HttpFailureClass, string]>([
      ['denied', 'sink-fault'],
      ['dns', 'sink-fault'],
      ['tls', 'sink-fault'],
      ['connect', 'transient'],
      ['busy', 'transient'],
      ['timeout', 'transient'],
      ['reset', 'transient'],
      ['protocol', 'transient'],
      ['aborted', 'transient'],
    ])('without an answer (%s): %s', (failure, expected) => {
      expect(
        sink.open({}, contractConnection).judgeFailure(new HttpFailure(failure, 'x', { sent: false })).class,
      ).toBe(expected);
    });

    it('shows the token in headers only', () => {
      const wire = sink.open({}, contractConnection);
      const { headers, body: _, ...rest } = wire.request(Buffer.from('{}'));
      expect(JSON.stringify(headers)).toContain(contractToken);
      expect(JSON.stringify(rest)).not.toContain(contractToken);
      expect(JSON.stringify(judge(responseOf(403, { text: contractToken, code: 4 })))).not.toContain(
        contractToken,
      );
    });

    it('never repeats the same body differently', () => {
      const wire = sink.open({}, contractConnection);
      expect(frameAll(wire, awkward)).toEqual(frameAll(wire, awkward));
      expect(wire.request(Buffer.from('{}'))).toEqual(wire.request(Buffer.from('{}')));
    });
  });
}
