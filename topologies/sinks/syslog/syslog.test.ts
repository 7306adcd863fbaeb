// The syslog sink: the lines that the SIEM guide and the standards print, what hostile events become, sizes, settings.
import { readFileSync } from 'node:fs';
import glossy from 'glossy';
import parseSyslog from 'nsyslog-parser';
import { describe, expect, it } from 'vitest';
import { SinkConfigError } from '../../domain/sink/define-sink.ts';
import { syslogConnection } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { awkward, commonContract } from '../contract.ts';
import { bodyOf, host, messageOf, messagesOf } from './kit.ts';
import type { SyslogParams } from './manifest.ts';
import { syslog } from './sink.ts';

commonContract('syslog', syslog, ['mapping.ts', 'frame.ts', 'layout.ts']);

// The finding of the SIEM guide.
const finding = JSON.parse(readFileSync(new URL('./fixtures/finding.json', import.meta.url), 'utf8')) as {
  event: string;
  timestamp: string;
  data: Record<string, unknown> & { asset: Record<string, unknown> };
};
const withData = (data: object): object => ({ ...finding, data: { ...finding.data, ...data } });
const nothing = (keys: readonly string[]): Record<string, null> =>
  Object.fromEntries(keys.map((key) => [key, null]));
const bare = (params: SyslogParams, event: unknown): string =>
  messageOf({ header: 'none', ...params }, event);

describe('B46: CEF', () => {
  it("B48a to B48d: prints the guide's own line with profile seed", () => {
    // The guide wraps it; its name and dst are not in its event, so they are given here.
    const event = withData({
      vuln_name: 'SQL Injection Detected',
      asset: { ...finding.data.asset, ip: '192.168.1.10' },
    });
    expect(bare({ profile: 'seed' }, event)).toBe(
      'CEF:0|S4E|Platform|2.4.0|finding.new|SQL Injection Detected|9|' +
        'src=api.example.com dst=192.168.1.10 msg=SQL Injection in /api/login ' +
        'cs1Label=severity cs1=critical cs2Label=cvss cs2=9.8 ' +
        'cs3Label=finding_id cs3=f-91827',
    );
  });

  it('B48b: keeps to the dictionary with profile strict: the host name is a host name, the id is the id', () => {
    expect(bare({}, finding)).toBe(
      'CEF:0|S4E|Platform|2.4.0|finding.new|New finding|9|rt=1777377600000 dhost=api.example.com externalId=f-91827 ' +
        'msg=SQL Injection in /api/login cs1Label=severity cs1=critical cs2Label=cvss cs2=9.8 ' +
        'cs3Label=finding_id cs3=f-91827 cfp1Label=cvss cfp1=9.8',
    );
  });

  it('B45: travels as the message of RFC 5424, or behind the header of RFC 3164', () => {
    const line = bare({}, finding);
    expect(messageOf({}, finding)).toBe(
      `<130>1 2026-04-28T12:00:00.000Z sensor.example.com s4e - finding.new - ${line}`,
    );
    expect(messageOf({ header: 'rfc3164', hostname: 'soc' }, finding)).toBe(
      `<130>Apr 28 12:00:00 soc ${line}`,
    );
  });

  it('takes the id of the event before any other, leaves out what is too long for it, and knows the record at last', () => {
    const idOf = (event: object): string | undefined => / externalId=(\S+)/.exec(bare({}, event))?.[1];
    expect(idOf({ id: 'e-1', ...finding })).toBe('e-1');
    expect(idOf({ id: 'x'.repeat(41), ...finding })).toBe('f-91827');
    expect(idOf({ event: 'scan.completed' })).toBe('findings.v1/0/0');
  });

  it.each([
    ['192.168.1.10', 'dst=192.168.1.10', /dhost|c6a3/],
    ['2001:db8::1', 'c6a3Label=Destination IPv6 Address c6a3=2001:db8::1', /dhost|dst/],
    ['300.1.1.1', 'dhost=300.1.1.1', /dst|c6a3/],
    ['fe80::1%eth0', 'externalId', /dhost|dst|c6a3/],
  ])('puts asset %j where it belongs', (name, expected, never) => {
    const line = bare({}, withData({ asset: { name } }));
    expect(line).toContain(` ${expected}`);
    expect(line).not.toMatch(never);
  });

  it.each([
    ['critical', '9', 130],
    ['HIGH', '7', 131],
    ['moderate', '5', 132],
    ['low', '3', 133],
    ['info', '1', 134],
    [undefined, '0', 134],
    ['ludicrous', '0', 134],
    [7, '0', 134],
  ])('S11: severity %j: %s of 10, PRI %i', (severity, expected, pri) => {
    const message = messageOf({}, withData({ severity }));
    expect(message.split('|')[6]).toBe(expected);
    expect(message.startsWith(`<${pri}>1 `)).toBe(true);
  });

  it('S10: escapes what could forge a field, and leaves pipes of values alone', () => {
    const title = 'a=b|c\\d\ncs1=fake';
    const line = bare({ fields: { cs2: null, cs3: null } }, withData({ title, vuln_name: 'n|a\\m\ne' }));
    expect(line.split('\n')).toHaveLength(1);
    expect(line).toContain('|n\\|a\\\\m e|9|');
    expect(line).toContain(' msg=a\\=b|c\\\\d\\ncs1\\=fake cs1Label=');
  });

  it('S10: leaves out what is empty, null, or of another kind', () => {
    const line = bare(
      {},
      { event: 'x', data: { title: '', severity: null, cvss: 'high', asset: { name: [] } } },
    );
    expect(line).toBe(
      'CEF:0|S4E|Platform|2.4.0|x|X|0|rt=1777377600000 externalId=findings.v1/0/0 cs2Label=cvss cs2=high',
    );
  });

  it('names events without a type, and joins lists', () => {
    expect(bare({}, { data: { title: ['a', 'b', 3] } })).toContain('|event|Event|0|');
    expect(bare({}, { data: { title: ['a', 'b', 3] } })).toContain(' msg=a, b, 3');
  });

  it('B48d: takes fields of its own, and refuses what the dictionary does not have', () => {
    const fields = {
      cs4: { label: 'asset_id', from: 'data.asset.id' },
      msg: null,
      act: ['data.none', 'event'],
    };
    const line = bare({ fields }, finding);
    expect(line).toMatch(/ cs4Label=asset_id cs4=\S+ act=finding.new$/);
    expect(line).not.toContain(' msg=');
    const check = (given: SyslogParams): string[] => syslog.check({ ...given }).map(({ message }) => message);
    expect(check({ fields: { asset: 'data.asset.name' } })).toEqual([
      'is no key of the CEF dictionary; profile seed allows it',
    ]);
    expect(check({ profile: 'seed', fields: { asset: 'data.asset.name' } })).toEqual([]);
    expect(check({ profile: 'seed', fields: { 'a b': 'x' } })).toEqual(['must be letters and digits']);
    expect(check({ fields: { cs4: 'x' } })).toEqual(['needs a label']);
    expect(check({ fields: { msg: { from: 'x', label: 'y' } } })).toEqual([
      'has no label in the CEF dictionary',
    ]);
    expect(check({ fields: { msg: 'a..b' } })).toEqual(['"a..b" is no path into the event']);
    expect(check({ fields: { msg: '@now' } })).toEqual(['"@now" is no path into the event']);
  });

  it('escapes vendor, product and version of the parameters too', () => {
    expect(bare({ vendor: 'A|B', product: 'C\\D', version: '1=2' }, finding)).toMatch(
      /^CEF:0\|A\\\|B\|C\\\\D\|1=2\|/,
    );
  });
});

describe('B45: RFC 5424', () => {
  it('prints example 3 of section 6.5, byte order mark included', () => {
    const params: SyslogParams = {
      format: 'rfc5424',
      facility: 'local4',
      hostname: 'mymachine.example.com',
      app_name: 'evntslog',
      sd_id: 'exampleSDID@32473',
      bom: true,
      fields: {
        ...nothing(['id', 'event', 'finding_id', 'severity', 'cvss', 'asset', 'asset_id']),
        iut: 'data.iut',
        eventSource: 'data.source',
        eventID: 'data.number',
      },
    };
    const event = {
      event: 'ID47',
      timestamp: '2003-10-11T22:14:15.003Z',
      data: {
        severity: 'low',
        iut: '3',
        source: 'Application',
        number: 1011,
        title: 'An application event log entry...',
      },
    };
    expect(messageOf(params, event)).toBe(
      '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 ' +
        '[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"] \ufeffAn application event log entry...',
    );
  });

  it('S09: is read by a parser of others as it was meant, quotes and brackets included', () => {
    const title = 'a "b" [c]';
    const event = withData({ title, asset: { name: 'x"]y\\z' } });
    const parsed = glossy.Parse.parse(messageOf({ format: 'rfc5424' }, event));
    expect(parsed).toMatchObject({
      type: 'RFC5424',
      facility: 'local0',
      severity: 'crit',
      host: 'sensor.example.com',
      appName: 's4e',
      pid: null,
      msgID: 'finding.new',
      structuredData: {
        'soc@32473': {
          event: 'finding.new',
          finding_id: 'f-91827',
          severity: 'critical',
          cvss: '9.8',
          asset: 'x"]y\\z',
        },
      },
    });
    expect(parsed.time?.toISOString()).toBe('2026-04-28T12:00:00.000Z');
    expect(messageOf({ format: 'rfc5424' }, event).endsWith(` ${title}`)).toBe(true);
  });

  it('S12: writes - for a time that nobody knows, and cuts the message id to 32', () => {
    const message = messageOf({ format: 'json' }, { event: 'x'.repeat(40), timestamp: '9999-99-99' });
    expect(message).toMatch(/^<134>1 2026-04-28T12:00:00.000Z sensor.example.com s4e - x{32} - \{/);
  });

  it('sends the event itself as JSON, on one line', () => {
    const event = '{"event":"x",\r\n\t"data": {"a": "b\\nc é"}}';
    const [message] = messagesOf(bodyOf({ format: 'json' }, [event]));
    expect(message).not.toMatch(/[\r\n\t]/);
    expect(JSON.parse(message!.slice(message!.indexOf('{')))).toEqual(JSON.parse(event));
    expect(messageOf({ format: 'json', header: 'rfc3164' }, { event: 'x' })).toBe(
      '<134>Apr 28 12:00:00 sensor.example.com s4e: {"event":"x"}',
    );
  });
});

describe('B47e: LEEF 2.0', () => {
  it("is like IBM's own example", () => {
    const params: SyslogParams = {
      format: 'leef',
      header: 'none',
      vendor: 'Lancope',
      product: 'StealthWatch',
      version: '1.0',
      delimiter: '^',
      fields: {
        ...nothing(['devTime', 'resource', 'url', 'externalId', 'title', 'severity', 'cvss', 'findingId']),
        ...nothing(['sev', 'cat', 'src', 'dst']),
      },
    };
    const order = {
      source: 'data.src',
      target: 'data.dst',
      sev2: '@severity',
      kind: 'data.cat',
      srcPort: 'data.port',
    };
    const event = {
      event: '41',
      data: { src: '192.0.2.0', dst: '172.50.123.1', severity: 'medium', cat: 'anomaly', port: 81 },
    };
    expect(messageOf({ ...params, fields: { ...params.fields, ...order } }, event)).toBe(
      'LEEF:2.0|Lancope|StealthWatch|1.0|41|^|source=192.0.2.0^target=172.50.123.1^sev2=5^kind=anomaly^srcPort=81',
    );
  });

  it('is read by a parser of others as it was meant', () => {
    const event = withData({ title: 'a\tb^c\nd' });
    const { leef, fields } = parseSyslog(messageOf({ format: 'leef', delimiter: '^' }, event)) as {
      leef: Record<string, string>;
      fields: Record<string, string>;
    };
    expect(leef).toMatchObject({
      vendor: 'S4E',
      product: 'Platform',
      version: '2.4.0',
      eventID: 'finding.new',
    });
    expect(fields).toMatchObject({ sev: '9', resource: 'api.example.com', title: 'a b c d', cvss: '9.8' });
    expect(fields['devTime']).toBe('1777377600000');
    expect(messageOf({ format: 'leef' }, event)).toContain('|finding.new|x09|devTime=1777377600000\tsev=9\t');
  });
});

describe('S07: whatever an event holds', () => {
  const formats: readonly SyslogParams[] = [
    {},
    { profile: 'seed' },
    { format: 'leef' },
    { format: 'rfc5424' },
    { format: 'rfc5424', bom: true },
    { header: 'rfc3164' },
    { header: 'none' },
  ];
  const texts = [
    ...Object.values(hostileTexts),
    'x\n<0>1 2026-01-01T00:00:00Z evil evil - - - forged',
    '\u0000\u001b[2J\u007f\u0085',
    'a=b|c\\d⏎cs1=fake "]\\ ^',
    '\u2028\u2029\ud800',
    'A'.repeat(900_000),
    '😀'.repeat(5000),
  ];

  it.each(formats)('it is one line of at most the size, well-formed, with %j', (params) => {
    const events = texts.map((title) =>
      JSON.stringify({
        event: title,
        id: title,
        data: {
          title,
          severity: title,
          vuln_name: title,
          cvss: title,
          finding_id: title,
          asset: { name: title },
        },
      }),
    );
    const messages = messagesOf(bodyOf(params, events));
    expect(messages).toHaveLength(texts.length);
    for (const message of messages) {
      expect(Buffer.byteLength(message)).toBeLessThanOrEqual(8192);
      // LEEF's own tabs aside.
      expect(message.replaceAll('\t', ' ')).not.toMatch(
        /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe]/u,
      );
      expect(message.isWellFormed()).toBe(true);
    }
  });

  it('unusual events make messages too', () => {
    for (const params of formats) expect(messagesOf(bodyOf(params, awkward))).toHaveLength(awkward.length);
  });

  it('with line feeds as framing, there are as many line feeds as events', () => {
    const events = texts.map((title) => JSON.stringify({ event: 'x', data: { title } }));
    for (const params of [...formats, { format: 'json', max_message_bytes: 131_072 } as const]) {
      const small = events.filter((event) => event.length < 100_000);
      const body = bodyOf(params, small, syslogConnection({ protocol: 'tcp', framing: 'lf' })).toString();
      expect(body.split('\n')).toHaveLength(small.length + 1);
      expect(body.endsWith('\n')).toBe(true);
    }
  });
});

describe('sizes', () => {
  const long = {
    event: 'x',
    data: { title: 't'.repeat(1023), cvss: 'c'.repeat(4000), finding_id: 'f'.repeat(4000) },
  };

  it('S06: cuts the longest texts first, says so, and counts it', () => {
    let cuts = 0;
    const body = bodyOf({ max_message_bytes: 2000 }, [JSON.stringify(long)], syslogConnection(), () => {
      cuts += 1;
    });
    const [message = ''] = messagesOf(body);
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(2000);
    expect(Buffer.byteLength(message)).toBeGreaterThan(1900);
    expect(message.endsWith(' cs6Label=truncated cs6=true')).toBe(true);
    expect(cuts).toBe(1);
    const lengthOf = (key: string): number => new RegExp(` ${key}=(\\S*)`).exec(message)?.[1]?.length ?? 0;
    expect(lengthOf('msg')).toBeGreaterThan(lengthOf('cs3') - 2);
    expect(lengthOf('cs2')).toBeGreaterThan(100);
  });

  it('S06: drops whole fields when shorter texts are not enough, and never splits an escape', () => {
    const fields = Object.fromEntries(
      [1, 2, 3, 4, 5].map((n) => [`cs${n}`, { label: `l${n}`, from: `data.v${n}` }]),
    );
    const data = Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`v${n}`, '='.repeat(3000 + n)]));
    const message = messageOf({ max_message_bytes: 480, fields }, { event: 'x', data });
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(480);
    for (const [, value = ''] of message.matchAll(/ cs[1-5]=((?:\\=)*)/g)) expect(value.length % 2).toBe(0);
    expect(message).toMatch(/ cs1=(\\=)+ .*cs6=true$/);
  });

  it('S13: is 1400 bytes over UDP, and refuses what no datagram or no header fits in', () => {
    const udp = syslogConnection({ protocol: 'udp' });
    expect(Buffer.byteLength(messageOf({}, long, udp))).toBeLessThanOrEqual(1400);
    expect(Buffer.byteLength(messageOf({}, long))).toBeGreaterThan(1400);
    expect(() => syslog.open({ max_message_bytes: 100_000 }, udp, host)).toThrow('65507');
    expect(() =>
      syslog.open({ max_message_bytes: 480, vendor: 'v'.repeat(63) }, udp, {
        ...host,
        name: 'h'.repeat(255),
      }),
    ).toThrow(SinkConfigError);
  });

  it('refuses JSON beyond a message instead of cutting it', () => {
    const wire = syslog.open({ format: 'json' }, syslogConnection(), host);
    expect(wire.maxEventBytes).toBeGreaterThan(7500);
    expect(wire.maxEventBytes).toBeLessThan(8192);
    const value = JSON.stringify({ event: 'x'.repeat(40), pad: '' });
    const full = value.replace('"pad":""', `"pad":"${'x'.repeat(wire.maxEventBytes - value.length)}"`);
    const message = messagesOf(bodyOf({ format: 'json' }, [full]))[0]!;
    expect(JSON.parse(message.slice(message.indexOf('{')))).toEqual(JSON.parse(full));
  });
});

describe('settings', () => {
  it.each([
    [{ delimiter: '|' }, '/delimiter'],
    [{ format: 'rfc5424', header: 'none' }, '/header'],
    [{ format: 'json', fields: { a: 'b' } }, '/fields/a'],
    [{ format: 'leef', fields: { 'a=': 'b' } }, '/fields/a='],
    [{ format: 'rfc5424', fields: { 'a"': 'b' } }, '/fields/a"'],
    [{ format: 'leef', fields: { a: { from: 'b', label: 'c' } } }, '/fields/a'],
  ] as const)('%j: %s is refused', (params, path) => {
    expect(syslog.check(params).map((issue) => issue.path)).toEqual([path]);
  });

  it.each([
    [{ host: 'tcp://siem' }, '/host'],
    [{ protocol: 'tcp', tls: {} }, '/tls'],
    [{ protocol: 'relp', framing: 'lf' }, '/framing'],
    [{ protocol: 'udp', framing: 'lf' }, '/framing'],
    [{ tls: { cert: 'PEM' } }, 'secrets.tls_key is missing'],
  ] as const)('connection %j: %s', (over, message) => {
    expect(() => syslog.open({}, syslogConnection(over), host)).toThrow(message);
  });
});
