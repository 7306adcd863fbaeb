// The syslog sink's receivers against Debian's syslog-ng: byte for byte over each of its transports, and parsed as it was meant.
import { createAuthority } from '@tocsin/testing/certificates.ts';
import { type Scratch, scratchFolder } from '@tocsin/testing/scratch.ts';
import { type SyslogNg, startSyslogNg } from '@tocsin/testing/syslog-ng.ts';
import { frameAll } from '@tocsin/topologies/sinks/contract.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  clientCertificate,
  difference,
  finding,
  hostileTitles,
  keptOf,
  type Over,
  openSyslog,
  until,
} from './receiver-kit.ts';

const authority = createAuthority();
const { tls, secrets } = clientCertificate(authority);
let scratch: Scratch;
let server: SyslogNg;

beforeAll(async () => {
  scratch = scratchFolder('syslog-ng');
  server = await startSyslogNg(scratch.path, authority);
});
afterAll(async () => {
  await server?.stop();
  scratch?.remove();
});

const carriers: [string, keyof SyslogNg['ports'], Over][] = [
  ['tcp, octet counting', 'tcp', { protocol: 'tcp' }],
  ['tcp, line feeds', 'lf', { protocol: 'tcp', framing: 'lf' }],
  ['tls', 'tls', { protocol: 'tls', tls }],
  ['udp', 'udp', { protocol: 'udp' }],
];

describe('B45, B47c: RFC 5424 byte for byte', () => {
  it.each(carriers)('%s', async (_, port, over) => {
    const ordinary = over.protocol === 'udp' ? 20 : 300;
    const size = over.protocol === 'udp' ? {} : { max_message_bytes: 65_536 };
    for (const params of [{ format: 'rfc5424', ...size }, { format: 'cef' }, { format: 'leef' }]) {
      const { wire, receiver, stop } = openSyslog(server.ports[port], over, params, secrets);
      const titles = [...Array<undefined>(ordinary).fill(undefined), ...hostileTitles];
      const body = frameAll(
        wire,
        titles.map((title, n) => finding(n, title)),
      );
      const before = server.read().length;
      expect(await receiver.send(body, titles.length)).toMatchObject({ class: 'delivered' });
      const expected = keptOf(body, over);
      await until('all messages', server.complaints, () => {
        return server.read().length - before >= Buffer.byteLength(expected);
      });
      expect(difference(server.read().subarray(before).toString(), expected)).toBeNull();
      stop();
    }
  });
});

it('B45, S09: syslog-ng reads priority, host, application, message id and structured data as they were meant', async () => {
  const { wire, receiver, stop } = openSyslog(
    server.ports.tcp,
    { protocol: 'tcp' },
    { format: 'rfc5424', sd_id: 'soc@32473' },
  );
  const before = server.parsed().length;
  const texts = ['plain', '"]\\', 'quote " bracket ] backslash \\ end', '] [x@1 id="forged"]', 'a=b|c'];
  const events = texts.map((text) => JSON.stringify({ ...JSON.parse(finding(1, text)), id: text }));
  await receiver.send(frameAll(wire, events), texts.length);
  await until('parsed', server.complaints, () => server.parsed().length >= before + texts.length);
  const read = server.parsed().slice(before);
  expect(read.map((each) => ({ ...each, message: each.message.replace(/^\ufeff/, '') }))).toEqual(
    // local0 (16) and critical (2). The byte order mark of RFC 5424 6.4 belongs to the encoding.
    texts.map((text) => ({
      pri: '130',
      host: 'sensor',
      app: 's4e',
      msgid: 'finding.new',
      id: text,
      message: text,
    })),
  );
  stop();
});

it('B47c: without a client certificate that it trusts, nothing arrives', async () => {
  const before = server.read().length;
  const other = clientCertificate(createAuthority('Other'));
  const { wire, receiver, stop } = openSyslog(
    server.ports.tls,
    { protocol: 'tls', tls: { ca: authority.cert, cert: other.tls.cert } },
    {},
    other.secrets,
  );
  const sent = receiver.send(frameAll(wire, [finding(1)]), 1);
  await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 1_000))]);
  stop();
  expect((await sent).class).not.toBe('delivered');
  expect(server.read().length).toBe(before);
});
