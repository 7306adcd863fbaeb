// The suite that every action type passes. What is special to a type is tested in its own folder.
//
// Invariant: a type touches only the ports that its manifest names, says the same thing twice for the same command, and
// lets no secret out of the request.
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { describe, expect, it } from 'vitest';
import { checkParams } from '../domain/action/check-params.ts';
import type {
  Action,
  ActionContext,
  ActionPorts,
  PortName,
  ResolvedConnection,
} from '../domain/action/define-action.ts';
import { failureCodes, type Outcome } from '../domain/action/outcome.ts';
import { nextDelay } from '../domain/action/retry-policy.ts';
import { DatabaseFailure, type TableShape } from '../ports/database.ts';
import { type FakeClock, fakeClock } from '../ports/fakes/clock.ts';
import { type FakeDatabase, fakeDatabase } from '../ports/fakes/database.ts';
import { type FakeFileStore, fakeFileStore } from '../ports/fakes/file-store.ts';
import { type FakeAnswer, type FakeHttp, fakeHttp } from '../ports/fakes/http.ts';
import { type FakeIncidentStore, fakeIncidentStore } from '../ports/fakes/incident-store.ts';
import { type FakeLineLog, fakeLineLog } from '../ports/fakes/line-log.ts';
import { type FakeMail, fakeMail } from '../ports/fakes/mail.ts';
import { type FakeMitreStore, fakeMitreStore } from '../ports/fakes/mitre-store.ts';
import { type FakeRecords, fakeRecords } from '../ports/fakes/records.ts';
import { type FakeRiskStore, fakeRiskStore } from '../ports/fakes/risk-store.ts';
import { type FakeScriptHost, fakeScriptHost } from '../ports/fakes/script-host.ts';
import { type FakeSyslog, fakeSyslog } from '../ports/fakes/syslog.ts';
import { HttpFailure, type HttpFailureClass } from '../ports/http.ts';
import { MailFailure } from '../ports/mail.ts';
import { SecretValue } from '../ports/secrets.ts';
import { rowsCommand } from '../testing/fixtures.ts';

export interface ContractFixture {
  /** Folder of the type, as a URL that ends in a slash. */
  readonly folder: URL;
  /** Parameters that work for an event and for rows. */
  readonly params: Readonly<Record<string, unknown>>;
  /** The same with a token {{nowhere.to_be_found}} where a template may stand; null when nothing is a template. */
  readonly missing: Readonly<Record<string, unknown>> | null;
  readonly connection: ResolvedConnection | null;
  /** Secret names that the connection uses; their values must not come out anywhere but in the request. */
  readonly secrets: readonly string[];
  /** Body of every 2xx answer, for receivers that say in it whether they took the request. */
  readonly accepted?: string;
  /** Ports that these parameters use; all that the manifest names without it. */
  readonly uses?: readonly PortName[];
  /** Tables that the database has. */
  readonly tables?: Readonly<Record<string, TableShape>>;
}

export interface Fakes {
  readonly http: FakeHttp;
  readonly mail: FakeMail;
  readonly lineLog: FakeLineLog;
  readonly database: FakeDatabase;
  readonly files: FakeFileStore;
  readonly lake: FakeFileStore;
  readonly syslog: FakeSyslog;
  readonly records: FakeRecords;
  readonly incidents: FakeIncidentStore;
  readonly risks: FakeRiskStore;
  readonly mitre: FakeMitreStore;
  readonly scripts: FakeScriptHost;
  readonly clock: FakeClock;
}

export function fakes(answer: FakeAnswer = 200, tables: ContractFixture['tables'] = {}): Fakes {
  return {
    http: fakeHttp(answer),
    mail: fakeMail(),
    lineLog: fakeLineLog(),
    database: fakeDatabase(tables),
    files: fakeFileStore(),
    lake: fakeFileStore('paths'),
    syslog: fakeSyslog(),
    records: fakeRecords(),
    incidents: fakeIncidentStore(),
    risks: fakeRiskStore(),
    mitre: fakeMitreStore(),
    scripts: fakeScriptHost(),
    clock: fakeClock(contractNow),
  };
}

export const contractNow = Date.UTC(2026, 3, 28, 12, 0, 1);

/** A context with only the ports that the type needs. */
export function contextFor(action: Action, ports: Fakes, over: Partial<ActionContext> = {}): ActionContext {
  const needed: Partial<Record<PortName, unknown>> = {};
  for (const name of action.manifest.needs) needed[name] = ports[name];
  return {
    ports: needed as Partial<ActionPorts>,
    connection: null,
    now: contractNow,
    attempt: 1,
    signal: new AbortController().signal,
    ...over,
  };
}

/** Status -> what happens next; the same for every HTTP receiver. Sources: RFC 9110 section 15, Standard Webhooks 1.0.0. */
export const httpTable: readonly (readonly [status: number, code: string | null, retry: string | null])[] = [
  [200, null, null],
  [201, null, null],
  [202, null, null],
  [204, null, null],
  [299, null, null],
  [100, 'http_unexpected', 'never'],
  [199, 'http_unexpected', 'never'],
  [300, 'http_3xx', 'never'],
  [301, 'http_3xx', 'never'],
  [302, 'http_3xx', 'never'],
  [304, 'http_3xx', 'never'],
  [307, 'http_3xx', 'never'],
  [308, 'http_3xx', 'never'],
  [400, 'http_4xx', 'never'],
  [401, 'http_401_403', 'pause'],
  [403, 'http_401_403', 'pause'],
  [404, 'http_4xx', 'never'],
  [405, 'http_4xx', 'never'],
  [408, 'http_4xx', 'backoff'],
  [409, 'http_4xx', 'backoff'],
  [410, 'http_410', 'pause'],
  [413, 'http_4xx', 'never'],
  [422, 'http_4xx', 'never'],
  [423, 'http_4xx', 'backoff'],
  [425, 'http_4xx', 'backoff'],
  [429, 'http_429', 'backoff'],
  [451, 'http_4xx', 'never'],
  [500, 'http_5xx', 'backoff'],
  [501, 'http_5xx', 'backoff'],
  [502, 'http_5xx', 'backoff'],
  [503, 'http_5xx', 'backoff'],
  [504, 'http_5xx', 'backoff'],
  [599, 'http_5xx', 'backoff'],
  [600, 'http_unexpected', 'never'],
  [999, 'http_unexpected', 'never'],
];

/** Failure class -> what happens next when no answer came. */
export const httpFailureTable: readonly (readonly [HttpFailureClass, string])[] = [
  ['denied', 'never'],
  ['dns', 'backoff'],
  ['connect', 'backoff'],
  ['tls', 'pause'],
  ['timeout', 'backoff'],
  ['reset', 'backoff'],
  ['protocol', 'backoff'],
  ['aborted', 'backoff'],
];

const rows = [
  { host: 'a.example', 'source.ip': '192.0.2.1' },
  { host: 'b.example', 'source.ip': '192.0.2.2' },
  { host: 'c.example', 'source.ip': '192.0.2.3' },
];
const canary = 'canary-7d1f0c93-do-not-print';

export function contract(action: Action, fixture: ContractFixture): void {
  const { manifest } = action;
  const { accepted = '', uses = manifest.needs } = fixture;
  const needsConnection = manifest.connection !== null && action.needsConnection?.(fixture.params) !== false;
  const answering = (): Fakes => fakes({ status: 200, body: accepted }, fixture.tables);
  const secrets = Object.fromEntries(
    fixture.secrets.map((name) => [name, new SecretValue(`${canary}-${name}`)]),
  );
  const connection = fixture.connection && {
    ...fixture.connection,
    secrets: { ...fixture.connection.secrets, ...secrets },
  };
  const command = (over: Partial<Command> = {}): Command =>
    rowsCommand(rows, { type: manifest.id, params: { ...fixture.params }, ...over });
  const run = (
    ports: Fakes,
    over: Partial<Command> = {},
    context: Partial<ActionContext> = {},
  ): Promise<Outcome> => {
    const outcome = action.execute(command(over), contextFor(action, ports, { connection, ...context }));
    return uses.includes('syslog') ? overTime(outcome, ports.clock) : outcome;
  };
  /** What left the system, without what an attempt may change. */
  const effects = (ports: Fakes): unknown => ({
    http: ports.http.requests.map(({ signal: _, body, ...request }) => ({
      ...request,
      body: body?.toString(),
    })),
    mail: ports.mail.sent,
    lines: ports.lineLog.lines,
    writes: ports.database.writes,
    files: [...ports.files.files, ...ports.lake.files].map(([name, content]) => [
      name,
      content.toString('latin1'),
    ]),
    messages: [
      ...ports.syslog.connections.map(({ received }) => received()),
      ...ports.syslog.datagramsSent,
    ].map(String),
    records: ports.records.appends,
    incidents: [ports.incidents.incidents, ports.incidents.events],
    risks: [ports.risks.scores, ports.risks.events],
    mitre: [ports.mitre.records, ports.mitre.events],
    scripts: ports.scripts.begun,
  });

  describe(`${manifest.id}: contract`, () => {
    it('describes itself: every parameter has a description and the id is its folder', () => {
      expect(fixture.folder.pathname.endsWith(`/${manifest.id}/`)).toBe(true);
      const properties = manifest.params['properties'] as Record<string, { description?: string }>;
      for (const [name, schema] of Object.entries(properties)) expect(schema.description, name).toBeTruthy();
      expect(manifest.params['additionalProperties']).toBe(false);
    });

    it('refuses an unknown parameter and names it', () => {
      expect(checkParams(action, { ...fixture.params, no_such_parameter: 1 })).toEqual([
        { path: '/no_such_parameter', message: 'unknown field' },
      ]);
    });

    it('has no effect with parameters that do not fit', async () => {
      const ports = answering();
      const outcome = await run(ports, { params: { ...fixture.params, no_such_parameter: 1 } });
      expect(outcome).toMatchObject({ status: 'failed', code: 'invalid_params', retry: 'never' });
      expect(effects(ports)).toEqual(effects(fakes()));
    });

    it('accepts every example of the manifest and of the README', () => {
      for (const { title, params } of manifest.examples)
        expect(checkParams(action, params), title).toEqual([]);
      const readme = readFileSync(new URL('README.md', fixture.folder), 'utf8');
      const blocks = [...readme.matchAll(/^```json params\n([\s\S]*?)^```$/gm)].map(
        ([, text]) => text as string,
      );
      expect(blocks.length).toBeGreaterThan(0);
      for (const block of blocks) expect(checkParams(action, JSON.parse(block)), block).toEqual([]);
    });

    it('works, and uses only the ports that it needs', async () => {
      const ports = answering();
      expect(checkDocument('command.json', command())).toEqual([]);
      expect(await run(ports)).toMatchObject({ status: 'done' });
      const used = {
        http: ports.http.requests.length,
        mail: ports.mail.sent.length,
        lineLog: ports.lineLog.lines.length,
        database: ports.database.writes.length,
        files: ports.files.files.size,
        lake: ports.lake.files.size,
        syslog: ports.syslog.targets.length,
        records: ports.records.appends.length,
        incidents: ports.incidents.incidents.length,
        risks: ports.risks.scores.length,
        mitre: ports.mitre.records.length,
        scripts: ports.scripts.begun.length,
      };
      for (const [name, count] of Object.entries(used))
        expect(count > 0, name).toBe(uses.includes(name as PortName));
    });

    it('sends the same twice for the same command, with the command id as its key', async () => {
      const [one, two] = [answering(), answering()];
      await run(one);
      await run(two, {}, { attempt: 2 });
      expect(effects(two)).toEqual(effects(one));
      const other = answering();
      await run(other, { command_id: 'ffffffffffffffffffffffffffffffff' });
      expect(effects(other)).not.toEqual(effects(one));
      if (manifest.idempotency === 'key')
        expect(inspect(effects(one), { depth: 9 })).toContain(command().command_id);
    });

    it('keeps secrets out of outcomes and of what is shown of them', async () => {
      const ports = answering();
      const outcomes = [await run(ports)];
      if (uses.includes('http')) {
        ports.http.answer(
          { status: 400, body: `you sent ${canary}` },
          { status: 302, headers: { location: `https://x/${canary}` } },
        );
        outcomes.push(await run(ports), await run(ports));
      }
      if (manifest.needs.includes('mail')) {
        ports.mail.fail(new MailFailure('auth', 'the server refused the credentials', { code: 535 }));
        outcomes.push(await run(ports));
      }
      if (manifest.needs.includes('database')) {
        ports.database.fail(new DatabaseFailure('auth', 'the server refused the credentials'));
        outcomes.push(await run(ports));
      }
      expect(`${inspect(outcomes, { depth: 9 })}${JSON.stringify(outcomes)}`).not.toContain(canary);
    });

    it('a dry run shows what would be sent: nothing leaves, no secret is shown, the same for the same command', async () => {
      const dry = () => action.preview(command({ dry_run: true }), { connection, now: contractNow });
      // Whatever opens something has no port to open it with: a preview is given none.
      const outcome = dry();
      expect(outcome).toMatchObject({ status: 'done', output: expect.anything() });
      const text = JSON.stringify(outcome);
      expect(text).not.toContain(canary);
      // Nor in another spelling, as in a basic authorization.
      for (const part of text.matchAll(/[A-Za-z0-9+/=_-]{16,}/g))
        expect(Buffer.from(part[0], 'base64').toString('latin1')).not.toContain(canary);
      expect(dry()).toEqual(outcome);
      const ports = answering();
      await run(ports);
      for (const text of sentTexts(ports))
        expect(JSON.stringify(outcome)).toContain(JSON.stringify(text).slice(1, -1));
    });

    it('a dry run fails as an attempt does that fails before it sends', async () => {
      const preview = (params: Readonly<Record<string, unknown>>, over: Partial<ActionContext> = {}) =>
        action.preview(command({ params }), { connection, now: contractNow, ...over });
      const misfit = { ...fixture.params, no_such_parameter: 1 };
      expect(preview(misfit)).toEqual(await run(fakes(), { params: misfit }));
      if (needsConnection)
        expect(preview(fixture.params, { connection: null })).toEqual(
          await run(fakes(), {}, { connection: null }),
        );
      for (const name of fixture.secrets) {
        const { [name]: _, ...others } = connection?.secrets ?? {};
        const without = connection && { ...connection, secrets: others };
        const ports = fakes();
        const outcome = await run(ports, {}, { connection: without });
        if (outcome.status === 'failed' && sentTexts(ports).length === 0)
          expect(preview(fixture.params, { connection: without })).toEqual(outcome);
      }
    });

    it('runs once as it says: one effect for the whole set, or one for the first row; otherwise one for each', async () => {
      const once = answering();
      await run(once, manifest.runOnce === 'all' ? { mode: 'all', row_index: 'all' } : firstOnly());
      const each = answering();
      for (const [index, row] of rows.entries())
        await run(each, {
          mode: 'each',
          row_index: index,
          subject: { rows: [row], total_rows: 3 },
          command_id: `${index}`.repeat(32),
        });
      const count = (ports: Fakes): number =>
        ports.http.requests.length +
        ports.mail.sent.length +
        ports.lineLog.lines.length +
        ports.lake.files.size +
        ports.syslog.connections.length +
        ports.database.writes.length +
        ports.records.appends.length +
        ports.incidents.incidents.length +
        ports.risks.scores.length +
        ports.mitre.records.length +
        ports.scripts.begun.length;
      expect(count(each)).toBe(3);
      expect(count(once)).toBe(manifest.needs.includes('lineLog') ? 3 : 1);
    });

    const { missing } = fixture;
    if (missing !== null)
      it('names template fields that have no value', async () => {
        const outcome = await run(answering(), { params: { ...missing } });
        const text = outcome.status === 'done' ? (outcome.warnings ?? []).join('\n') : outcome.detail;
        expect(text).toContain('nowhere.to_be_found');
      });

    it('fails without its connection, and does not throw', async () => {
      if (!needsConnection)
        return expect(await run(answering(), {}, { connection: null })).toMatchObject({ status: 'done' });
      expect(await run(answering(), {}, { connection: null })).toMatchObject({
        status: 'failed',
        code: 'unknown_connection',
      });
    });

    if (uses.includes('http')) {
      httpContract(run, accepted);
    }
  });

  function firstOnly(): Partial<Command> {
    return {
      mode: 'first',
      row_index: 0,
      subject: { rows: [rows[0] as Record<string, unknown>], total_rows: 3 },
    };
  }
}

/** The outcome of an attempt that waits for times to come. */
export async function overTime(outcome: Promise<Outcome>, clock: FakeClock): Promise<Outcome> {
  let over = false;
  const ended = outcome.finally(() => {
    over = true;
  });
  for (let second = 0; second < 60 && !over; second += 1) await clock.advance(1000);
  return ended;
}

/** Where a request goes and what a message is about, as texts that a dry run has to show. */
function sentTexts(ports: Fakes): string[] {
  return [
    ...ports.http.requests.map(({ url }) => new URL(url).host),
    ...ports.mail.sent.flatMap(({ message }) => [message.subject, ...message.to]),
    ...ports.lineLog.lines,
    ...ports.lake.files.keys(),
    ...ports.syslog.targets.map(({ host }) => host),
    ...ports.records.appends.flat().flatMap(({ topic, key }) => [topic, key]),
    ...ports.database.writes.flatMap(({ statements }) => statements.map(({ sql }) => sql)),
  ];
}

function httpContract(run: (ports: Fakes) => Promise<Outcome>, accepted: string): void {
  it.each(httpTable)('status %i', async (status, code, retry) => {
    // To every request: a receiver that takes no large body is offered smaller ones.
    const ports = fakes({ status, body: status >= 200 && status < 300 ? accepted : '' });
    const outcome = await run(ports);
    if (code === null) return expect(outcome.status).toBe('done');
    expect(outcome).toMatchObject({ status: 'failed', code, retry, status_code: status });
    expect(Object.keys(failureCodes)).toContain(code);
  });

  it.each(httpFailureTable)('no answer: %s', async (failure, retry) => {
    const ports = fakes();
    ports.http.answer(
      new HttpFailure(failure, 'no answer', { sent: true }),
      new HttpFailure(failure, 'no answer', { sent: false }),
    );
    expect(await run(ports)).toMatchObject({ status: 'failed', code: failure, retry, uncertain: true });
    expect(await run(ports)).not.toHaveProperty('uncertain');
  });

  it.each([
    ['120', 120_000],
    ['0', 0],
    ['-5', 0],
    ['1000000000', 86_400_000],
    ['Tue, 28 Apr 2026 12:01:01 GMT', 60_000],
    ['Tue, 28 Apr 2020 12:00:00 GMT', 0],
    ['soon', null],
    ['', null],
    ['2026', 2_026_000],
  ])('Retry-After: %s', async (header, afterMs) => {
    for (const status of [429, 503]) {
      const ports = fakes();
      ports.http.answer({ status, headers: { 'retry-after': header } });
      const outcome = await run(ports);
      expect(outcome).toMatchObject({ retry: afterMs === null ? 'backoff' : { afterMs } });
      if (outcome.status === 'failed')
        expect(nextDelay({}, 1, 'c', outcome)).toBeGreaterThanOrEqual(afterMs ?? 1);
    }
  });
}
