// Slack's answers, by code and by word; and what happens before a message is posted a second time.
import { describe, expect, it } from 'vitest';
import { HttpFailure } from '../../ports/http.ts';
import { eventCommand } from '../../testing/fixtures.ts';
import { okPost, send, sendAsBot } from './fixtures/send.ts';

const api = (error: string, headers: Record<string, string> = {}) => ({
  status: 200,
  headers,
  body: JSON.stringify({ ok: false, error }),
});

describe('H06 slack: answers of the Web API', () => {
  it.each([
    ['invalid_auth', 'http_401_403', 'pause'],
    ['not_authed', 'http_401_403', 'pause'],
    ['token_revoked', 'http_401_403', 'pause'],
    ['token_expired', 'http_401_403', 'pause'],
    ['account_inactive', 'http_401_403', 'pause'],
    ['missing_scope', 'http_401_403', 'pause'],
    ['no_permission', 'http_401_403', 'pause'],
    ['ekm_access_denied', 'http_401_403', 'pause'],
    ['channel_not_found', 'bad_response', 'never'],
    ['not_in_channel', 'bad_response', 'never'],
    ['is_archived', 'bad_response', 'never'],
    ['restricted_action_read_only_channel', 'bad_response', 'never'],
    ['no_text', 'bad_response', 'never'],
    ['invalid_blocks', 'bad_response', 'never'],
    ['invalid_arguments', 'bad_response', 'never'],
    ['too_many_attachments', 'bad_response', 'never'],
    ['msg_too_long', 'too_large', 'never'],
    ['fatal_error', 'http_5xx', 'backoff'],
    ['internal_error', 'http_5xx', 'backoff'],
    ['service_unavailable', 'http_5xx', 'backoff'],
    ['team_added_to_org', 'http_5xx', 'backoff'],
  ])('%s', async (error, code, retry) => {
    const { outcome } = await sendAsBot({}, eventCommand(), { answers: [api(error)] });
    expect(outcome).toMatchObject({
      status: 'failed',
      code,
      retry,
      status_code: 200,
      detail: `POST https://slack.com answered 200: ${error}`,
    });
  });

  it('waits as long as it is told when it was too fast', async () => {
    for (const [answer, afterMs] of [
      [api('rate_limited'), 30_000],
      [api('ratelimited', { 'retry-after': '7' }), 7_000],
      [{ status: 429, headers: { 'retry-after': '30' }, body: '{"ok":false,"error":"ratelimited"}' }, 30_000],
    ] as const)
      expect((await sendAsBot({}, eventCommand(), { answers: [answer] })).outcome).toMatchObject({
        code: 'http_429',
        retry: { afterMs },
      });
  });

  it('counts as uncertain what may have been posted all the same', async () => {
    for (const error of ['fatal_error', 'internal_error', 'request_timeout'])
      expect((await sendAsBot({}, eventCommand(), { answers: [api(error)] })).outcome).toMatchObject({
        uncertain: true,
      });
    expect(
      (await sendAsBot({}, eventCommand(), { answers: [api('service_unavailable')] })).outcome,
    ).not.toHaveProperty('uncertain');
  });

  it.each([
    ['a login page', '<!DOCTYPE html><title>Sign in</title>'],
    ['nothing', ''],
    ['other JSON', '{"status":"ok"}'],
    ['a list', '[true]'],
    ['null', 'null'],
    ['a truthy ok', '{"ok":"true"}'],
    ['broken JSON', '{"ok":true'],
  ])('takes %s with status 200 for a failure', async (_, body) => {
    expect((await sendAsBot({}, eventCommand(), { answers: [{ status: 200, body }] })).outcome).toMatchObject(
      {
        status: 'failed',
        code: 'bad_response',
        retry: 'never',
      },
    );
  });

  it('repeats no words that are not of its tables', async () => {
    for (const error of ['xoxb_secret', 'constructor', '__proto__']) {
      const { outcome } = await sendAsBot({}, eventCommand(), { answers: [api(error)] });
      expect(outcome).toMatchObject({ code: 'bad_response', retry: 'never' });
      expect(JSON.stringify(outcome)).not.toContain(error);
    }
  });
});

describe('slack: answers of a webhook', () => {
  it.each([
    [400, 'invalid_payload', 'bad_response', 'never'],
    [400, 'user_not_found', 'bad_response', 'never'],
    [400, 'no_text', 'bad_response', 'never'],
    [400, 'too_many_attachments', 'bad_response', 'never'],
    [403, 'action_prohibited', 'http_401_403', 'pause'],
    [403, 'posting_to_general_channel_denied', 'http_401_403', 'pause'],
    [403, 'invalid_token', 'http_401_403', 'pause'],
    [404, 'channel_not_found', 'http_401_403', 'pause'],
    [404, 'no_service', 'http_401_403', 'pause'],
    [404, 'no_active_hooks', 'http_401_403', 'pause'],
    [404, 'no_team', 'http_401_403', 'pause'],
    [410, 'channel_is_archived', 'http_410', 'pause'],
    [500, 'rollup_error', 'http_5xx', 'backoff'],
    [200, 'invalid_payload', 'bad_response', 'never'],
    [200, '<html>Sign in</html>', 'bad_response', 'never'],
    [404, '<html>not found</html>', 'http_4xx', 'never'],
  ])('%i %s', async (status, body, code, retry) => {
    const { outcome } = await send({}, eventCommand(), { answers: [{ status, body }] });
    expect(outcome).toMatchObject({ status: 'failed', code, retry, status_code: status });
    expect(JSON.stringify(outcome)).not.toContain('html');
  });

  it('takes ok for done, with or without a line feed', async () => {
    for (const body of ['ok', 'ok\n'])
      expect((await send({}, eventCommand(), { answers: [{ status: 200, body }] })).outcome).toEqual({
        status: 'done',
        output: { status_code: 200 },
      });
  });
});

describe('slack: a message that may be there already', () => {
  const command = eventCommand();
  const message = (id: string, ts: string, type = 'tocsin_command') => ({
    type: 'message',
    ts,
    metadata: { event_type: type, event_payload: { command_id: id } },
  });
  const page = (messages: unknown[], next = '') => ({
    status: 200,
    body: JSON.stringify({ ok: true, messages, response_metadata: { next_cursor: next } }),
  });
  const again = { possibleDuplicate: true, attempt: 2 };

  it('is not posted a second time when the channel has it', async () => {
    const answers = [
      page(
        [message('f'.repeat(32), '1.1'), message(command.command_id, '1.2', 'other'), { ts: '1.3' }, null],
        'next==',
      ),
      page([message(command.command_id, '1777377601.000100')]),
    ];
    const { outcome, requests } = await sendAsBot({}, command, { answers, context: again });
    expect(outcome).toEqual({
      status: 'done',
      ref: '1777377601.000100',
      output: { status_code: 200, ts: '1777377601.000100', channel: 'C123456789' },
    });
    const [first, second] = requests.map(({ url }) => new URL(url));
    expect(requests.map(({ method }) => method)).toEqual(['GET', 'GET']);
    expect(first?.pathname).toBe('/api/conversations.history');
    expect(Object.fromEntries(first?.searchParams ?? [])).toEqual({
      channel: 'C123456789',
      oldest: String(Date.UTC(2026, 3, 28, 11, 58, 0) / 1000),
      inclusive: 'true',
      include_all_metadata: 'true',
      limit: '200',
    });
    expect(second?.searchParams.get('cursor')).toBe('next==');
  });

  it('is posted when the channel does not have it', async () => {
    const { outcome, requests } = await sendAsBot({}, command, {
      answers: [page([]), okPost],
      context: again,
    });
    expect(requests.map(({ method }) => method)).toEqual(['GET', 'POST']);
    expect(outcome).toMatchObject({
      status: 'done',
      ref: '1503435956.000247',
      warnings: [expect.stringContaining('posted again')],
    });
  });

  it('is looked for in its thread', async () => {
    const params = { thread_ts: '1503435956.000247' };
    const { requests } = await sendAsBot(params, command, { answers: [page([]), okPost], context: again });
    expect(requests[0]?.url).toContain('/api/conversations.replies?channel=C123456789&ts=1503435956.000247&');
  });

  it('waits when the channel cannot be read now, and sends nothing', async () => {
    for (const [answer, retry] of [
      [new HttpFailure('timeout', 'no answer', { sent: true }), 'backoff'],
      [503, 'backoff'],
      [api('ratelimited', { 'retry-after': '5' }), { afterMs: 5_000 }],
      [api('invalid_auth'), 'pause'],
      [api('fatal_error'), 'backoff'],
    ] as const) {
      const { outcome, requests } = await sendAsBot({}, command, { answers: [answer], context: again });
      expect(outcome).toMatchObject({ status: 'failed', retry, uncertain: false });
      expect(requests).toHaveLength(1);
    }
  });

  it('is posted again with a warning when the channel can never be read', async () => {
    for (const [params, answers] of [
      [{}, [api('missing_scope'), okPost]],
      [{}, [api('not_in_channel'), okPost]],
      [{}, [{ status: 200, body: '<html>' }, okPost]],
      [{}, [...Array.from({ length: 5 }, () => page([], 'more')), okPost]],
      [{ channel: '#name' }, [okPost]],
      [{ check_history: false }, [okPost]],
    ] as const) {
      const { outcome, request } = await sendAsBot(params, command, { answers, context: again });
      expect(request?.method).toBe('POST');
      expect(outcome).toMatchObject({
        status: 'done',
        warnings: [expect.stringContaining('it may be there twice')],
      });
    }
  });

  it('is not looked for at the first attempt, and a webhook cannot look', async () => {
    expect((await sendAsBot({}, command, { context: { attempt: 2 } })).requests).toHaveLength(1);
    expect((await send({}, command, { context: again })).requests).toHaveLength(1);
  });
});
