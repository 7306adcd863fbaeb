// CEF, LEEF and syslog texts against the examples that their standards print.
import { describe, expect, it } from 'vitest';
import { severities } from '../rules/severity.ts';
import { cefHeader, cefSeverities, cefValue } from './cef.ts';
import { cefKeys } from './cef-keys.ts';
import { leefDelimiter, leefHeader, leefSeverities, leefValue } from './leef.ts';
import { cutText, oneLine, plainLines } from './one-line.ts';
import { bsdTag, bsdTimestamp } from './rfc3164.ts';
import { headerField, paramValue, priority, sdName, syslogSeverities, timestamp } from './rfc5424.ts';

describe('CEF', () => {
  // "ArcSight CEF Implementation Standard", "Character Encoding": each value and what the standard's own line holds.
  it('escapes the header as the standard does', () => {
    expect(cefHeader('detected a | in message', 512)).toBe('detected a \\| in message');
    expect(cefHeader('detected a \\ in packet', 512)).toBe('detected a \\\\ in packet');
    expect(cefHeader('detected a = in message', 512)).toBe('detected a = in message');
    expect(cefHeader('one\r\ntwo\nthree', 512)).toBe('one two three');
  });

  it('T16 escapes extension values as the standard does', () => {
    expect(cefValue('blocked a |', 63)).toBe('blocked a |');
    expect(cefValue('blocked a \\', 63)).toBe('blocked a \\\\');
    expect(cefValue('blocked a =', 63)).toBe('blocked a \\=');
    expect(cefValue('Detected a threat.\n No action needed.', 1023)).toBe(
      'Detected a threat.\\n No action needed.',
    );
    expect(cefValue('a\rb\r\nc\u2028d', 1023)).toBe('a\\rb\\nc\\nd');
  });

  it('cuts before it escapes, and never within a character', () => {
    expect(cefValue('a=b', 2)).toBe('a\\=');
    expect(cefHeader('||||', 2)).toBe('\\|\\|');
    expect(cefValue('ab😀', 3)).toBe('ab');
    expect(cefValue('ab😀', 4)).toBe('ab😀');
  });

  it('puts each severity into its band: Low 0-3, Medium 4-6, High 7-8, Very-High 9-10', () => {
    const bands = [
      [0, 3],
      [0, 3],
      [4, 6],
      [7, 8],
      [9, 10],
    ] as const;
    for (const [rank, severity] of cefSeverities.entries()) {
      expect(severity).toBeGreaterThanOrEqual(bands[rank]![0]);
      expect(severity).toBeLessThanOrEqual(bands[rank]![1]);
    }
    expect(cefSeverities).toHaveLength(severities.length);
  });

  it.each([
    ['act', 'text', 63],
    ['msg', 'text', 1023],
    ['cs6', 'text', 4000],
    ['externalId', 'id', 40],
    ['dvchost', 'text', 100],
  ] as const)('knows %s as %s of %i characters', (key, kind, max) => {
    expect(cefKeys.get(key)).toMatchObject({ kind, max });
  });

  it.each(['eventId', 'rawEvent', 'agt', 'flexString1', 'severity', 'cs7', 'src ', 'constructor'])(
    'does not know %j',
    (key) => expect(cefKeys.has(key)).toBe(false),
  );
});

describe('LEEF', () => {
  it('takes out of a value what would end it', () => {
    expect(leefValue('a\tb\nc', 100, '\t')).toBe('a b c');
    expect(leefValue('a^b\tc', 100, '^')).toBe('a b c');
    expect(leefValue('a b', 100, ' ')).toBe('a_b');
    expect(leefHeader('a|b\nc')).toBe('a b c');
  });

  it.each([
    ['x09', '\t'],
    ['0x09', '\t'],
    ['x5E', '^'],
    ['^', '^'],
    ['x1', '\u0001'],
    ['x7C', null],
    ['|', null],
    ['=', null],
    ['a', null],
    ['\n', null],
    ['xD800', null],
    ['^^', null],
  ])('reads delimiter %j', (setting, char) => expect(leefDelimiter(setting)).toBe(char));

  it('has severities from 1 to 10', () => {
    for (const severity of leefSeverities) expect(severity > 0 && severity <= 10).toBe(true);
  });
});

describe('RFC 5424', () => {
  it('makes PRI of facility and severity (section 6.2.1)', () => {
    // Section 6.5, examples 1 to 3: auth and critical, local4 and notice.
    expect(priority('auth', 2)).toBe('<34>');
    expect(priority('local4', 5)).toBe('<165>');
    expect(priority('kern', 0)).toBe('<0>');
    expect(priority('local7', 7)).toBe('<191>');
  });

  it('S11: ranks as the SIEM guide does: critical 2, high 3, medium 4, low 5, info 6', () => {
    expect(Object.fromEntries(severities.map((name, rank) => [name, syslogSeverities[rank]]))).toEqual({
      informational: 6,
      low: 5,
      medium: 4,
      high: 3,
      critical: 2,
    });
  });

  it('S08: keeps header fields to PRINTUSASCII and their length; nothing left is -', () => {
    expect(headerField('ma chine\n', 255)).toBe('machine');
    expect(headerField('größe', 255)).toBe('gre');
    expect(headerField(' \u0000é', 255)).toBe('-');
    expect(headerField('x'.repeat(300), 255)).toHaveLength(255);
  });

  it('S09: escapes PARAM-VALUE (section 6.3.3)', () => {
    expect(paramValue('"]\\', 100)).toBe('\\"\\]\\\\');
    expect(paramValue('[=\n', 100)).toBe('[= ');
  });

  it.each([
    ['exampleSDID@32473', true],
    ['s4e', true],
    ['a=b', false],
    ['a b', false],
    ['a]', false],
    ['a"', false],
    ['', false],
    ['x'.repeat(33), false],
  ])('SD-NAME %j: %s', (name, valid) => expect(sdName.test(name)).toBe(valid));

  it('writes times in UTC with milliseconds', () => {
    expect(timestamp(Date.UTC(2003, 9, 11, 22, 14, 15, 3))).toBe('2003-10-11T22:14:15.003Z');
    for (const ms of [Number.NaN, Number.POSITIVE_INFINITY, 8.64e15, -8.64e15])
      expect(timestamp(ms)).toBe('-');
  });
});

describe('RFC 3164', () => {
  it('writes times as its examples do (section 5.4)', () => {
    expect(bsdTimestamp(Date.UTC(2003, 9, 11, 22, 14, 15))).toBe('Oct 11 22:14:15');
    expect(bsdTimestamp(Date.UTC(1990, 1, 5, 17, 32, 18))).toBe('Feb  5 17:32:18');
    expect(bsdTimestamp(Number.NaN)).toBe('Jan  1 00:00:00');
  });

  it('keeps the tag alphanumeric', () => expect(bsdTag('my app[1]:')).toBe('myapp1'));
});

describe('one line', () => {
  it('T15 holds no control, no line end, no turn of direction, no half of a character', () => {
    expect(oneLine('a\u0000b\u001b[2Jc\u0085d\u2028e\r\nf')).toBe('a b [2Jc d e f');
    expect(oneLine('invoice\u202efdp.exe\u2066x\u2069')).toBe('invoicefdp.exex');
    expect(oneLine('\ud800x\udc00 😀')).toBe('\ufffdx\ufffd 😀');
    expect(plainLines('a\r\nb\rc\u0000\u2029d')).toBe('a\nb\rc \nd');
    expect(cutText('😀😀', 3)).toBe('😀');
  });
});
