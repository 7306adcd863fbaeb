// Every port of actions in memory, for their tests, and contexts that hand an action only those that its manifest names.
import type { Action, ActionContext, ActionPorts, PortName } from '../domain/action/define-action.ts';
import type { Outcome } from '../domain/action/outcome.ts';
import type { TableShape } from '../ports/database.ts';
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

export function fakes(answer: FakeAnswer = 200, tables: Readonly<Record<string, TableShape>> = {}): Fakes {
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

/** The outcome of an attempt that waits for times to come. */
export async function overTime(outcome: Promise<Outcome>, clock: FakeClock): Promise<Outcome> {
  let over = false;
  const ended = outcome.finally(() => {
    over = true;
  });
  for (let second = 0; second < 60 && !over; second += 1) await clock.advance(1000);
  return ended;
}
