// Log lines are parsed as JSON and searched for every spelling of a planted secret.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger } from './pino.ts';
import { createScrubber } from './scrub.ts';

function capture(level: 'debug' | 'info' = 'debug') {
  const lines: string[] = [];
  const logger = createLogger({
    service: 'test',
    level,
    destination: { write: (line) => void lines.push(line) },
  });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown> };
}

describe('lines', () => {
  it('are one JSON object each, with level, time, service, message and fields', () => {
    const { logger, lines, last } = capture();
    logger.child({ command_id: 'c1' }).warn('slow\nreceiver', { ms: 12, nested: { a: [1, 'x'] } });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.endsWith('\n') && !lines[0]!.slice(0, -1).includes('\n')).toBe(true);
    const { time, ...rest } = last();
    expect(rest).toEqual({
      level: 'warn',
      service: 'test',
      command_id: 'c1',
      ms: 12,
      nested: { a: [1, 'x'] },
      msg: 'slow\nreceiver',
    });
    expect(new Date(String(time)).toISOString()).toBe(time);
  });

  it('below the level cost nothing', () => {
    const { logger, lines } = capture('info');
    let read = false;
    logger.debug('x', {
      get expensive() {
        read = true;
        return 1;
      },
    });
    expect([lines.length, read]).toEqual([0, false]);
  });

  it('survive fields that cannot be serialised', () => {
    const { logger, last } = capture();
    const loop: Record<string, unknown> = { n: 1n, buffer: Buffer.alloc(3), when: new Date(Number.NaN) };
    loop.self = loop;
    logger.info('odd', {
      loop,
      get broken(): string {
        throw new Error('no');
      },
    });
    expect(last()).toMatchObject({
      loop: { n: '1', buffer: '[3 bytes]', when: null, self: '[circular]' },
      broken: '[unreadable]',
    });
    let deep: unknown = 1;
    for (let i = 0; i < 10_000; i++) deep = [deep];
    logger.info('deep', { deep });
    expect(JSON.stringify(last())).toContain('[deep]');
  });
});

describe('redaction', () => {
  it('hides values of telling names at any depth, and keeps what merely talks about them', () => {
    const { logger, lines, last } = capture();
    logger.info('x', {
      headers: { Authorization: 'Bearer canary1', 'x-api-key': 'canary2', accept: 'a' },
      options: [
        { password: 'canary3', api_key: 'canary4', privateKey: 'canary5', 'set-cookie': ['canary6'] },
      ],
      secret_version: 3,
      token_set: true,
    });
    expect(lines.join()).not.toContain('canary');
    expect(last()).toMatchObject({ headers: { accept: 'a' }, secret_version: 3, token_set: true });
  });

  it('writes errors without what libraries hang on them, causes included', () => {
    const { logger, lines, last } = capture();
    const cause = Object.assign(new Error('inner'), { code: 'ECONNRESET', config: { auth: 'canary1' } });
    const error = Object.assign(new TypeError('outer', { cause }), {
      request: { headers: 'canary2' },
      headers: { x: 'canary3' },
    });
    logger.error('failed', { error });
    expect(lines.join()).not.toContain('canary');
    expect(last().error).toMatchObject({
      type: 'TypeError',
      message: 'outer',
      cause: { message: 'inner', code: 'ECONNRESET' },
    });
    expect((last().error as { stack: string }).stack).toContain('logger.test.ts');
  });
});

describe('registered secrets', () => {
  const secret = 'p@ss "wörd"/+?\\';
  it('disappear from messages, fields, stacks and children in every spelling', () => {
    const { logger, lines } = capture();
    logger.registerSecret(secret);
    const forms = [
      secret,
      JSON.stringify({ a: secret }),
      JSON.stringify(JSON.stringify(secret)),
      encodeURIComponent(secret),
      new URLSearchParams({ q: secret }).toString(),
      Buffer.from(secret).toString('hex'),
      Buffer.from(secret).toString('hex').toUpperCase(),
      Buffer.from(secret).toString('base64'),
      Buffer.from(secret).toString('base64url'),
    ];
    for (const form of forms) {
      logger.info(`saw ${form} here`, { form });
      logger.child({ form }).error('x', { error: new Error(form) });
    }
    const text = lines.join('');
    for (const line of lines) JSON.parse(line);
    for (const form of forms.slice(3)) expect(text).not.toContain(form.slice(0, 24));
    expect(text).not.toContain('wörd');
    expect(text).toContain('saw [secret] here');
  });

  it('disappear from Basic credentials of any user', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 12 }),
        fc.string({ minLength: 12, maxLength: 40, unit: 'grapheme-ascii' }),
        (user, password) => {
          const scrubber = createScrubber();
          scrubber.register(password);
          const basic = Buffer.from(`${user}:${password}`).toString('base64');
          const left = scrubber.scrub(`Basic ${basic}`);
          // What may remain are the characters that mix with the user's bytes: at most one group at each end.
          return (
            left.includes('[secret]') &&
            left.length <=
              'Basic '.length + '[secret]'.length + Math.ceil((Buffer.byteLength(user) + 1) / 3) * 4 + 4
          );
        },
      ),
    );
  });

  it('shorter than six bytes are left alone, and text without secrets comes back as it is', () => {
    const scrubber = createScrubber();
    scrubber.register('admin');
    expect(scrubber.scrub('the admin did it')).toBe('the admin did it');
    scrubber.register('a.c.e.g');
    expect(scrubber.scrub('abcdefg a.c.e.g')).toBe('abcdefg [secret]');
  });
});
