// The export action to Debian's rsyslog and to a Splunk HTTP Event Collector over real sockets: the bytes that arrive, and what is sent
// again after faults of the receiver.
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '@tocsin/adapters/clock/system.ts';
import { createHttpClient } from '@tocsin/adapters/http/client.ts';
import { createEgressPolicy } from '@tocsin/adapters/http/egress-policy.ts';
import { createSyslogClient } from '@tocsin/adapters/syslog/client.ts';
import type { Command, SyslogConnection } from '@tocsin/schemas/types.ts';
import { exportAction } from '@tocsin/topologies/actions/export/execute.ts';
import type { ExportParams } from '@tocsin/topologies/actions/export/params.ts';
import type { ResolvedConnection } from '@tocsin/topologies/domain/action/define-action.ts';
import type { Outcome, Progress } from '@tocsin/topologies/domain/action/outcome.ts';
import {
  eventCommand,
  httpConnection,
  rowsCommand,
  syslogConnection,
} from '@tocsin/topologies/testing/fixtures.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAuthority } from './certificates.ts';
import { type HecReceiver, startHecReceiver } from './receivers/hec.ts';
import { normalizeCef, type Rsyslog, startRsyslog } from './rsyslog.ts';
import { type Scratch, scratchFolder } from './scratch.ts';

const http = createHttpClient();
const ports = {
  http,
  syslog: createSyslogClient({ egress: createEgressPolicy({ mode: 'open' }) }),
  clock: systemClock,
};
afterAll(() => http.close());

/** Attempts of one command, each with what those before it have noted. */
function attemptsOf(given: Command, params: ExportParams, connection: ResolvedConnection) {
  const command = { ...given, type: 'export', params: { ...params } };
  let progress: Progress | undefined;
  return (): Promise<Outcome> =>
    exportAction.execute(command, {
      ports,
      connection,
      now: Date.now(),
      attempt: 1,
      ...(progress === undefined ? {} : { progress }),
      note: async (noted) => {
        progress = JSON.parse(JSON.stringify(noted)) as Progress;
      },
      signal: new AbortController().signal,
    });
}

const id = eventCommand().command_id;

describe('A17, A25a: Splunk', () => {
  let splunk: HecReceiver;
  beforeEach(async () => {
    splunk = await startHecReceiver({ maxEventBytes: 60_000 });
  });
  afterEach(() => splunk.close());

  const small = Array.from({ length: 40 }, (_, n) => ({ n, pad: 'x'.repeat(50_000) }));
  const attempts = (rows: Record<string, unknown>[]) =>
    attemptsOf(
      rowsCommand(rows),
      { sink: 'splunk-hec' },
      httpConnection(
        {
          protocol: 'http',
          allow_insecure: true,
          host: '127.0.0.1',
          port: splunk.port,
          allow_cidrs: ['127.0.0.0/8'],
          timeout_ms: 2_000,
        },
        { token: splunk.token },
      ),
    );
  const numbers = (): number[] => splunk.events.map(({ event }) => (event as { data: { n: number } }).data.n);
  const all = small.map(({ n }) => n);
  /** Taken as a whole. */
  const none = { busyAfter: Number.POSITIVE_INFINITY };

  it('takes every event once, with its id and that of the command', async () => {
    expect(await attempts(small)()).toMatchObject({ status: 'done', output: { records: 40 } });
    expect(splunk.requests.map(({ status }) => status)).toEqual([200, 200]);
    expect(numbers()).toEqual(all);
    expect(splunk.events[7]?.event).toMatchObject({ id: `${id}-7`, command_id: id, event: 'search.result' });
  });

  it('503 in the middle, then code 9 in the middle of a request: no event twice, none missing', async () => {
    const attempt = attempts(small);
    splunk.script(none, { hec: { status: 503, code: 9, text: 'Server is busy' } }, { busyAfter: 5 });
    const first = await attempt();
    expect(first).toMatchObject({ code: 'http_5xx', retry: 'backoff' });
    expect(first).not.toHaveProperty('uncertain');
    const taken = numbers().length;
    expect(taken).toBeGreaterThan(10);
    expect(await attempt()).toMatchObject({ code: 'http_5xx', output: { records: taken + 5 } });
    expect(await attempt()).toMatchObject({ status: 'done', output: { records: 40 } });
    expect(numbers()).toEqual(all);
  });

  it('an invalid event in the middle, then busy: the others once, that one refused at last', async () => {
    const rows = small.map((row) => (row.n === 3 ? { ...row, pad: 'x'.repeat(70_000) } : row));
    const attempt = attempts(rows);
    splunk.script(none, { hec: { status: 503, code: 9, text: 'Server is busy' } });
    expect(await attempt()).toMatchObject({ code: 'http_5xx', output: { records: 3 } });
    expect(await attempt()).toMatchObject({
      status: 'done',
      output: { records: 39 },
      undelivered: [{ to: `${id}-3`, code: 'bad_response', detail: expect.stringContaining('code 6') }],
    });
    expect(numbers()).toEqual(all.filter((n) => n !== 3));
  });

  it('a connection that breaks after a request was taken: that request alone comes again, under the same ids', async () => {
    const attempt = attempts(small);
    splunk.script(none, { lost: true });
    expect(await attempt()).toMatchObject({ code: 'reset', uncertain: true, output: { records: 20 } });
    expect(await attempt()).toMatchObject({ status: 'done', output: { records: 40 } });
    expect(numbers()).toEqual([...all, ...all.slice(20)]);
    const ids = splunk.events.map(({ event }) => (event as { id: string }).id);
    expect(new Set(ids).size).toBe(40);
  });
});

describe('A17, A58: QRadar and others over syslog', () => {
  const authority = createAuthority();
  const sensor = authority.issue(['DNS:sensor'], { client: true });
  let scratch: Scratch;
  let server: Rsyslog;
  beforeAll(async () => {
    scratch = scratchFolder('export-syslog');
    server = await startRsyslog(scratch.path, authority);
  });
  afterAll(async () => {
    await server?.stop();
    scratch?.remove();
  });

  const attempts = (
    command: Command,
    syslog: NonNullable<ExportParams['syslog']>,
    over?: Partial<SyslogConnection>,
  ) =>
    attemptsOf(
      command,
      { sink: 'syslog', syslog: { hostname: 'soc.example.com', ...syslog } },
      syslogConnection(
        {
          host: '127.0.0.1',
          allow_cidrs: ['127.0.0.0/8'],
          timeout_ms: 5_000,
          ...(over ?? { port: server.ports.tls, tls: { ca: authority.cert, cert: sensor.cert } }),
        },
        { tls_key: sensor.key },
      ),
    );

  /** What arrives while `work` goes on, byte by byte. */
  async function received(work: () => Promise<Outcome>): Promise<string> {
    const before = server.read().length;
    expect(await work()).toMatchObject({ status: 'done' });
    return server.read().subarray(before).toString('utf8');
  }

  // 130: facility 16 (local use 0) times 8, severity 2 (RFC 5424, section 6.2.1). The time is that of the finding.
  const header = '<130>1 2026-04-28T12:00:00.000Z soc.example.com s4e - finding.new - ';

  it('CEF arrives byte by byte as the SIEM guide has it, with the ids, over TLS', async () => {
    const text = await received(attempts(eventCommand(), { format: 'cef' }));
    expect(text).toBe(
      `${header}CEF:0|S4E|Platform|2.4.0|finding.new|New finding|9|rt=1777377600000 dhost=api.example.com ` +
        'externalId=findings.v1/0/42 msg=SQL Injection in /api/login cs1Label=severity cs1=critical cs2Label=cvss ' +
        `cs2=9.8 cs3Label=finding_id cs3=f-91827 cfp1Label=cvss cfp1=9.8 cs5Label=command_id cs5=${id}\n`,
    );
    expect(normalizeCef(scratch.path, [text.trimEnd().slice(header.length)])).toMatchObject([
      {
        DeviceVendor: 'S4E',
        SignatureID: 'finding.new',
        Name: 'New finding',
        Severity: '9',
        Extensions: { rt: String(Date.UTC(2026, 3, 28, 12)), cs5Label: 'command_id', cs5: id },
      },
    ]);
  });

  it('LEEF 2.0 arrives byte by byte, over TLS and TCP', async () => {
    for (const over of [undefined, { protocol: 'tcp', port: server.ports.tcp } as const]) {
      const text = await received(attempts(eventCommand(), { format: 'leef' }, over));
      // IBM, "LEEF event components": x09 names the tab between attributes.
      const attributes = [
        `devTime=${Date.UTC(2026, 3, 28, 12)}`,
        'sev=9',
        'dst=api.example.com',
        'resource=api.example.com',
        'externalId=findings.v1/0/42',
        'title=SQL Injection in /api/login',
        'severity=critical',
        'cvss=9.8',
        'findingId=f-91827',
        `commandId=${id}`,
      ];
      expect(text).toBe(`${header}LEEF:2.0|S4E|Platform|2.4.0|finding.new|x09|${attributes.join('\t')}\n`);
    }
  });

  it('a receiver that is killed in the middle: what it had answered is not sent again, and all of it is there', async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => ({ n, title: 'Failed login' }));
    const relp = { protocol: 'relp', port: server.ports.relp } as const;
    const attempt = attempts(rowsCommand(rows), { format: 'cef' }, relp);
    const before = server.read().length;
    const running = attempt();
    const over = running.then((outcome) => {
      throw new Error(`it ended before the receiver was killed: ${JSON.stringify(outcome)}`);
    });
    over.catch(() => undefined);
    while (server.read().length - before < 500_000) await Promise.race([over, delay(2)]);
    await server.kill();
    const first = await running;
    expect(first).toMatchObject({ status: 'failed', retry: 'backoff', uncertain: true });
    const known = (first.status === 'failed' && (first.output as { records: number }).records) || 0;
    expect(known).toBeGreaterThan(100);
    server = await startRsyslog(scratch.path, authority, server.ports);
    expect(await attempt()).toMatchObject({ status: 'done', output: { records: 20_000 } });
    const text = server.read().subarray(before).toString('utf8');
    const ids = [...text.matchAll(/externalId=[0-9a-f]{32}-(\d+) /g)].map(([, n]) => Number(n));
    const times = new Map<number, number>();
    for (const n of ids) times.set(n, (times.get(n) ?? 0) + 1);
    expect(times.size).toBe(20_000);
    // RELP: at most the window of 1,024 was without an answer.
    const repeated = [...times].filter(([, count]) => count > 1).map(([n]) => n);
    expect(repeated.every((n) => n >= known && n < known + 1_024)).toBe(true);
    expect(Math.max(...times.values())).toBeLessThanOrEqual(2);
  });
});
