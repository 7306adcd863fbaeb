// What left the system through the ports of an action: to compare, to count, to look for.
import type { PortName } from '../domain/action/define-action.ts';
import type { Fakes } from './action-fakes.ts';

/** What left, without what an attempt may change. */
export function effectsOf(ports: Fakes): unknown {
  return {
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
  };
}

/** How much each port was used. Writing to a clock is nothing that leaves. */
export function usesOf(ports: Fakes): Record<Exclude<PortName, 'clock'>, number> {
  return {
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
}

/** Where a request goes and what a message is about, as texts that a dry run has to show. */
export function sentTexts(ports: Fakes): string[] {
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
