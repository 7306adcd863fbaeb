// Headers, credentials and signatures of webhooks.
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { contractNow } from '../../testing/action-fakes.ts';
import { eventCommand, httpConnection } from '../../testing/fixtures.ts';
import { webhook } from './execute.ts';
import { check, send } from './fixtures/send.ts';

describe('webhook: headers', () => {
  it('C96: sends User-Agent, Cookie and repeated headers, one line each', async () => {
    const headers = [
      { name: 'User-Agent', value: 'mine' },
      { name: 'Cookie', value: 'a=1' },
      { name: 'X-Tag', value: 'one' },
      { name: 'X-Tag', value: '{{data.severity}} é' },
    ];
    const { request, header } = await send({ headers });
    expect(header('user-agent')).toBe('mine');
    expect(header('cookie')).toBe('a=1');
    const tags = request?.headers
      .filter(([name]) => name === 'x-tag')
      .map(([, value]) => Buffer.from(value, 'latin1').toString('utf8'));
    expect(tags).toEqual(['one', 'critical é']);
  });

  it('C96: keeps a header one line whatever a value says', async () => {
    const event = { event: 'x', data: { t: 'a\r\nX-Evil: 1\u2028\u0000b\u0085' } };
    const { header } = await send(
      { headers: [{ name: 'X-T', value: '{{data.t}}' }] },
      eventCommand({ event }),
    );
    expect(header('x-t')).toBe('a X-Evil: 1 b');
  });

  it.each([
    'Host',
    'content-length',
    'TRANSFER-ENCODING',
    'Connection',
    'webhook-id',
    'Webhook-Signature',
    'X-S4E-Signature',
    'Te',
    'Upgrade',
  ])('refuses %s, at save and when it gets past', async (name) => {
    expect(check({ headers: [{ name, value: 'x' }] })).toEqual(['/headers/0/name']);
    expect((await send({ headers: [{ name, value: 'x' }] })).outcome).toMatchObject({
      code: 'invalid_params',
      retry: 'never',
    });
  });

  it('refuses malformed names and values', () => {
    for (const name of ['X A', 'X-A: 1\r\nY', '', 'Ä', 'X:'])
      expect(check({ headers: [{ name, value: 'x' }] }), name).toEqual(['/headers/0/name']);
    for (const value of ['a\r\nb', 'a\u0000', '{{{x}}}'])
      expect(check({ headers: [{ name: 'X-A', value }] }), value).toEqual(['/headers/0/value']);
    expect(
      check({
        headers: [
          { name: 'User-Agent', value: 'a' },
          { name: 'user-agent', value: 'b' },
        ],
      }),
    ).toEqual(['/headers/1/name']);
  });

  it.each([
    [
      'basic',
      { username: 'ü' },
      { password: 'p:w' },
      'authorization',
      `Basic ${Buffer.from('ü:p:w').toString('base64')}`,
    ],
    ['bearer', {}, { token: 't' }, 'authorization', 'Bearer t'],
    ['header', { header: 'X-Api-Key' }, { token: 't' }, 'x-api-key', 't'],
  ] as const)('C95: sends the credential: %s', async (type, auth, secrets, name, value) => {
    const { header } = await send({}, eventCommand(), httpConnection({ auth: { type, ...auth } }, secrets));
    expect(header(name)).toBe(value);
  });

  it('C95: refuses two credentials, pauses without one, and never sends a broken one', async () => {
    const headers = [{ name: 'AUTHORIZATION', value: 'x' }];
    const connection = httpConnection({ auth: { type: 'bearer' } }, { token: 't' });
    expect((await send({ headers }, eventCommand(), connection)).outcome).toMatchObject({
      code: 'invalid_params',
      retry: 'never',
    });
    expect(webhook.checkConnection?.({ headers }, connection.config)).toEqual([
      { path: '/headers/0/name', message: 'AUTHORIZATION is already set by the connection' },
    ]);
    expect((await send({ headers })).header('authorization')).toBe('x');
    for (const secrets of [{}, { token: 'a\r\nb' }] as Record<string, string>[])
      expect(
        (await send({}, eventCommand(), httpConnection({ auth: { type: 'bearer' } }, secrets))).outcome,
      ).toMatchObject({
        code: 'secret',
        retry: 'pause',
      });
  });

  it('C98: passes TLS options and the client key on', async () => {
    const connection = httpConnection({ tls: { ca: 'CA', cert: 'CERT', verify: true } }, { tls_key: 'KEY' });
    expect((await send({}, eventCommand(), connection)).request?.tls).toEqual({
      ca: 'CA',
      cert: 'CERT',
      verify: true,
      key: 'KEY',
    });
  });
});

describe('webhook: signature', () => {
  const raw = 'a raw secret of good length';

  it('signs the exact bytes with every key, and keeps the id over attempts', async () => {
    const whsec = `whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`;
    const { header, body } = await send(
      { sha256_signature: true },
      eventCommand(),
      httpConnection({}, { hmac: whsec, hmac_previous: raw }),
    );
    const timestamp = String(Math.floor(contractNow / 1000));
    const signed = `${eventCommand().command_id}.${timestamp}.${body}`;
    const mac = (key: string, text: string, form: 'hex' | 'base64'): string =>
      createHmac('sha256', key).update(text).digest(form);
    expect(header('webhook-id')).toBe(eventCommand().command_id);
    expect(header('webhook-timestamp')).toBe(timestamp);
    expect(header('webhook-signature')).toBe(
      `v1,${mac('0123456789abcdef01234567', signed, 'base64')} v1,${mac(raw, signed, 'base64')}`,
    );
    expect(header('x-s4e-signature')).toBe(`sha256=${mac('0123456789abcdef01234567', body, 'hex')}`);
  });

  it('has no signature without a secret, and pauses on a secret that is too weak or malformed', async () => {
    expect((await send({ sha256_signature: true })).header('webhook-signature')).toBeUndefined();
    for (const hmac of [
      'short',
      'whsec_c2hvcnQ=',
      'whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!',
      `whsec_${'QUJD'.repeat(8)}!!QUJD`,
    ])
      expect((await send({}, eventCommand(), httpConnection({}, { hmac }))).outcome).toMatchObject({
        code: 'secret',
        retry: 'pause',
      });
  });
});
