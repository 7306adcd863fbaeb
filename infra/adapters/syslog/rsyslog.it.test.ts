// The syslog sink's receivers against Debian's rsyslog: byte for byte over every transport, and nothing lost when it is killed.
import { readFileSync } from 'node:fs';
import { createAuthority } from '@tocsin/testing/certificates.ts';
import { normalizeCef, type Rsyslog, startRsyslog } from '@tocsin/testing/rsyslog.ts';
import { type Scratch, scratchFolder } from '@tocsin/testing/scratch.ts';
import type { BatchVerdict } from '@tocsin/topologies/domain/sink/define-sink.ts';
import { frameAll } from '@tocsin/topologies/sinks/contract.ts';
import { messagesOf } from '@tocsin/topologies/sinks/syslog/kit.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createEgressPolicy } from '../http/egress-policy.ts';
import { createSyslogClient } from './client.ts';
import {
  client,
  clientCertificate,
  difference,
  finding,
  hostileTitles,
  keptOf,
  type Over,
  openSyslog,
  range,
  until,
} from './receiver-kit.ts';

const authority = createAuthority();
let scratch: Scratch;
let server: Rsyslog;

beforeAll(async () => {
  scratch = scratchFolder('rsyslog');
  server = await startRsyslog(scratch.path, authority);
});
afterAll(async () => {
  await server?.stop();
  scratch?.remove();
});

function open(over: Over, params: Record<string, unknown> = {}, secrets: Record<string, string> = {}) {
  const ports = { ...server.ports, tcp_tls: server.ports.tls, relp_tls: server.ports.relpTls };
  return openSyslog(ports[over.protocol], over, params, secrets);
}

const waitFor = (what: string, holds: () => boolean): Promise<void> =>
  until(what, () => server.complaints(), holds);

const { tls, secrets: key } = clientCertificate(authority);

describe('B45, B46, B47c: byte for byte', () => {
  const carriers: [string, Over, Record<string, string>][] = [
    ['tcp, octet counting', { protocol: 'tcp' }, {}],
    ['tcp, line feeds', { protocol: 'tcp', framing: 'lf' }, {}],
    ['tls', { protocol: 'tls', tls }, key],
    ['relp', { protocol: 'relp' }, {}],
    ['relp_tls', { protocol: 'relp_tls', tls }, key],
  ];
  it.each(carriers)('%s', async (_, over, secrets) => {
    for (const params of [{ max_message_bytes: 65_536 }, { format: 'leef' }, { format: 'rfc5424' }]) {
      const { wire, receiver, stop } = open(over, params, secrets);
      const body = frameAll(wire, [
        ...range(0, 300).map((n) => finding(n)),
        ...hostileTitles.map((text, n) => finding(n, text)),
      ]);
      const before = server.read().length;
      expect(await receiver.send(body, 300 + hostileTitles.length)).toEqual({
        class: 'delivered',
        slowDown: false,
      });
      const expected = keptOf(body, over);
      // Delivered means that it is written: nobody waits here.
      expect(difference(server.read().subarray(before).toString(), expected)).toBeNull();
      stop();
    }
  });

  it('udp', async () => {
    const { wire, receiver, stop } = open({ protocol: 'udp' });
    const body = frameAll(
      wire,
      hostileTitles.map((text, n) => finding(n, text)),
    );
    const before = server.read().length;
    expect(await receiver.send(body, hostileTitles.length)).toMatchObject({ class: 'delivered' });
    const expected = keptOf(body, { protocol: 'udp' });
    await waitFor('all datagrams', () => server.read().length - before >= Buffer.byteLength(expected));
    expect(difference(server.read().subarray(before).toString(), expected)).toBeNull();
    stop();
  });
});

describe('S05: trust', () => {
  const before = (): number => server.read().length;

  it.each(['tls', 'relp_tls'] as const)(
    '%s: an authority that did not sign pauses the sink',
    async (protocol) => {
      const { wire, receiver, stop } = open({ protocol, tls: { ca: createAuthority('Other').cert } });
      const kept = before();
      expect(await receiver.send(frameAll(wire, [finding(1)]), 1)).toMatchObject({
        class: 'sink-fault',
        code: 'tls',
      });
      expect(await receiver.probe()).toBe(false);
      stop();
      expect(before()).toBe(kept);
    },
  );

  it.each(['tls', 'relp_tls'] as const)(
    '%s: without a client certificate nothing is delivered',
    async (protocol) => {
      const { wire, receiver, stop } = open({ protocol, tls: { ca: authority.cert } });
      const kept = before();
      const verdicts: BatchVerdict[] = [];
      const sent = receiver.send(frameAll(wire, [finding(1)]), 1).then((verdict) => verdicts.push(verdict));
      await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 1_000))]);
      // rsyslog closes without an alert: tried again until the sink stops.
      expect(verdicts.filter(({ class: said }) => said !== 'sink-fault')).toEqual([]);
      stop();
      await sent;
      expect(verdicts[0]!.class).not.toBe('delivered');
      expect(before()).toBe(kept);
    },
  );

  it('the egress policy refuses addresses that nobody allowed', async () => {
    const guarded = createSyslogClient({ egress: createEgressPolicy({ mode: 'open' }) });
    for (const [host, failure] of [
      ['127.0.0.1', 'denied'],
      ['localhost', 'denied'],
      ['169.254.169.254', 'denied'],
      ['nowhere.invalid', 'dns'],
    ] as const) {
      const target = { host, port: 1, tls: null, timeoutMs: 5_000, allowCidrs: [] };
      await expect(guarded.connect(target, () => undefined)).rejects.toMatchObject({ failure });
      await expect(guarded.datagrams(target)).rejects.toMatchObject({ failure });
    }
    const nobody = { host: '127.0.0.1', port: 1, tls: null, timeoutMs: 5_000, allowCidrs: [] };
    await expect(client.connect(nobody, () => undefined)).rejects.toMatchObject({ failure: 'connect' });
  });
});

describe('B47g, S01: killed in mid-stream', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  it.each([
    ['tcp', { protocol: 'tcp' }],
    ['relp', { protocol: 'relp' }],
  ] as const)(
    '%s: nothing is lost, repetitions carry the same id and are bounded',
    async (_, over) => {
      const folder = scratchFolder('rsyslog-killed');
      cleanups.push(() => folder.remove());
      let victim = await startRsyslog(folder.path, authority);
      cleanups.push(() => victim.stop());
      const { wire, receiver, stop, resent } = open({ ...over, port: victim.ports[over.protocol] });
      cleanups.push(stop);
      const batches = range(0, 40).map((b) =>
        frameAll(
          wire,
          range(b * 2_000, b * 2_000 + 2_000).map((n) => finding(n)),
        ),
      );
      // As the runner does it: at most eight batches on their way.
      let next = 0;
      let delivered = 0;
      const worker = async (): Promise<void> => {
        while (next < batches.length) {
          const verdict = await receiver.send(batches[next++]!, 2_000);
          expect(verdict.class).toBe('delivered');
          delivered += 1;
        }
      };
      const all = Promise.all(range(0, 8).map(worker));
      for (const share of [0.2, 0.6]) {
        await waitFor('some of it', () => victim.read().length > share * batches.length * batches[0]!.length);
        await victim.kill();
        victim = await startRsyslog(folder.path, authority, victim.ports);
      }
      await all;
      expect(delivered).toBe(batches.length);
      // Written by the thread that acknowledged or ended; the first line after a kill may begin in the middle of one that was cut off.
      const ids = [
        ...victim
          .read()
          .toString()
          .matchAll(/ externalId=e-(\d+) /g),
      ].map(([, id]) => Number(id));
      expect(new Set(ids).size).toBe(80_000);
      expect(ids.length - 80_000).toBeLessThanOrEqual(resent());
      expect(resent()).toBeLessThanOrEqual(2 * 8 * 2_000);
    },
    30_000,
  );
});

describe('CEF as liblognorm reads it', () => {
  it('hostile values come back as they were meant, and no key more', () => {
    const { wire } = open({ protocol: 'tcp' }, { header: 'none' });
    const pieces = ['=', '|', '\\', ' cs1=x', '\n', '\\n', '"', 'é', '😀', ' ', 'a', '==', '\\\\', '\\='];
    let state = 7;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((state / 2 ** 31) * below);
    };
    const titles = range(0, 2_000).map(
      () =>
        `t${range(0, 1 + random(12))
          .map(() => pieces[random(pieces.length)])
          .join('')}.`,
    );
    const events = titles.map((title, n) =>
      JSON.stringify({ id: `e-${n}`, event: title, data: { title, vuln_name: title, severity: 'high' } }),
    );
    const read = normalizeCef(scratch.path, messagesOf(frameAll(wire, events)));
    expect(read).toHaveLength(titles.length);
    for (const [n, parsed] of read.entries()) {
      const title = titles[n]!;
      const inHeader = title.replaceAll('\n', ' ');
      expect(parsed).toMatchObject({
        DeviceVendor: 'S4E',
        SignatureID: inHeader,
        Name: inHeader,
        Severity: '7',
      });
      const { rt: _, ...extensions } = parsed!.Extensions;
      expect(extensions).toEqual({ externalId: `e-${n}`, msg: title, cs1Label: 'severity', cs1: 'high' });
    }
  });
});

it("the example of the guide's event arrives as the documentation shows it", async () => {
  const readme = readFileSync(new URL('../../../topologies/sinks/syslog/README.md', import.meta.url), 'utf8');
  const line = /^<130>.*$/m.exec(readme)![0];
  const event = readFileSync(
    new URL('../../../topologies/sinks/syslog/fixtures/finding.json', import.meta.url),
    'utf8',
  );
  const { wire, receiver, stop } = open({ protocol: 'relp' });
  const before = server.read().length;
  await receiver.send(frameAll(wire, [event]), 1);
  expect(server.read().subarray(before).toString()).toBe(`${line}\n`);
  stop();
});
