// What the tests against real syslog receivers share: a sink that is open on one of them, events, and a short difference.
import type { SyslogConnection } from '@tocsin/schemas/types.ts';
import type { Authority } from '@tocsin/testing/certificates.ts';
import { SecretValue } from '@tocsin/topologies/ports/secrets.ts';
import { messagesOf } from '@tocsin/topologies/sinks/syslog/kit.ts';
import { syslog } from '@tocsin/topologies/sinks/syslog/sink.ts';
import { hostileTexts } from '@tocsin/topologies/testing/hostile-texts.ts';
import { systemClock } from '../clock/system.ts';
import { createEgressPolicy } from '../http/egress-policy.ts';
import { createSyslogClient } from './client.ts';

export const client = createSyslogClient({
  egress: createEgressPolicy({ mode: 'open', allowCidrs: ['127.0.0.0/8'] }),
});

export type Over = Partial<SyslogConnection> & {
  readonly protocol: NonNullable<SyslogConnection['protocol']>;
};

/** The sink's own wire and receiver on `port` of 127.0.0.1, unless `over` names another. */
export function openSyslog(
  port: number,
  over: Over,
  params: Record<string, unknown> = {},
  secrets: Record<string, string> = {},
) {
  const stopping = new AbortController();
  const wire = syslog.open(
    { proof_ms: 300, ...params },
    {
      config: {
        kind: 'connection',
        id: 'siem',
        type: 'syslog',
        host: '127.0.0.1',
        port,
        timeout_ms: 5_000,
        ...over,
      },
      secrets: Object.fromEntries(
        Object.entries(secrets).map(([name, value]) => [name, new SecretValue(value)]),
      ),
    },
    { name: 'sensor', onCut: () => undefined },
  );
  let resent = 0;
  const receiver = wire.receiver(
    { syslog: client },
    {
      clock: systemClock,
      random: () => 0.1,
      signal: stopping.signal,
      inFlight: 8,
      onResent: (events) => {
        resent += events;
      },
      onRetry: () => undefined,
    },
  );
  const stop = (): void => {
    stopping.abort();
    receiver.close?.();
  };
  return { wire, receiver, stop, resent: () => resent };
}

export const finding = (n: number, title = 'SQL Injection in /api/login'): string =>
  JSON.stringify({
    id: `e-${n}`,
    event: 'finding.new',
    timestamp: '2026-04-28T12:00:00Z',
    data: { severity: 'critical', title, cvss: 9.8, asset: { name: 'api.example.com' } },
  });

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, k) => from + k);

/** Titles that would end a field, a line or a message if they could. */
export const hostileTitles: readonly string[] = [
  ...Object.values(hostileTexts),
  'a=b|c\\d\n<0>1 - - - - - - forged',
  '\ud800 é 😀',
  'x'.repeat(90_000),
];

/** What a receiver that keeps a line feed after each message has of `body`. */
export function keptOf(body: Buffer, { framing }: Over): string {
  if (framing === 'lf') return body.toString();
  return messagesOf(body)
    .map((message) => `${message}\n`)
    .join('');
}

/** A client certificate of `authority`, as the connection and its secret hold it. */
export function clientCertificate(authority: Authority) {
  const { cert, key } = authority.issue(['DNS:sensor'], { client: true });
  return { tls: { ca: authority.cert, cert }, secrets: { tls_key: key } };
}

/** Polls for 10 s; `complaints` is what the receiver says when it was in vain. */
export async function until(what: string, complaints: () => string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}; it says ${complaints()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The first line that differs, and how many bytes there are: a whole difference would be megabytes. */
export function difference(received: string, expected: string): object | null {
  if (received === expected) return null;
  const [got, wanted] = [received.split('\n'), expected.split('\n')];
  const at = wanted.findIndex((line, n) => line !== got[n]);
  const part = (line = ''): string => line.slice(0, 300);
  return {
    line: at,
    received: part(got[at]),
    expected: part(wanted[at]),
    bytes: [Buffer.byteLength(received), Buffer.byteLength(expected)],
  };
}
