// Mattermost's answers, by the id of the error; and a message that was lost track of.
import { describe, expect, it } from 'vitest';
import { HttpFailure } from '../../ports/http.ts';
import { eventCommand } from '../../testing/fixtures.ts';
import { send, sendAsBot } from './fixtures/send.ts';

describe('mattermost: answers', () => {
  const error = (status: number, id: string) => ({
    status,
    body: JSON.stringify({ id, message: 'secret words', detailed_error: '', status_code: status }),
  });
  it.each([
    ['bot', 401, 'api.context.session_expired.app_error', 'http_401_403', 'pause'],
    ['bot', 403, 'api.context.permissions.app_error', 'bad_response', 'never'],
    ['bot', 400, 'model.post.is_valid.message_length.app_error', 'too_large', 'never'],
    ['bot', 400, 'api.post.create_post.can_not_post_to_deleted.error', 'http_4xx', 'never'],
    ['bot', 400, 'api.context.invalid_body_param.app_error', 'http_4xx', 'never'],
    ['bot', 404, 'app.channel.get.existing.app_error', 'http_4xx', 'never'],
    ['bot', 429, 'api.context.rate_limit.app_error', 'http_429', 'backoff'],
    ['bot', 500, 'api.post.deduplicate_create_post.pending', 'http_5xx', { afterMs: 2000 }],
    ['bot', 500, 'app.post.save.app_error', 'http_5xx', 'backoff'],
    ['hook', 400, 'web.incoming_webhook.invalid.app_error', 'http_401_403', 'pause'],
    ['hook', 501, 'web.incoming_webhook.disabled.app_error', 'http_401_403', 'pause'],
    ['hook', 403, 'web.incoming_webhook.channel_locked.app_error', 'bad_response', 'never'],
    ['hook', 403, 'web.incoming_webhook.permissions.app_error', 'bad_response', 'never'],
    ['hook', 404, 'web.incoming_webhook.channel.app_error', 'http_4xx', 'never'],
    ['hook', 400, 'web.incoming_webhook.parse.app_error', 'http_4xx', 'never'],
    ['hook', 500, 'api.post.create_webhook_post.creating.app_error', 'http_5xx', 'backoff'],
  ] as const)('%s %i %s', async (kind, status, id, code, retry) => {
    const sent = kind === 'bot' ? sendAsBot : send;
    const { outcome } = await sent({}, eventCommand(), { answers: [error(status, id)] });
    expect(outcome).toMatchObject({ status: 'failed', code, retry, status_code: status });
    expect(outcome).toMatchObject({
      detail: `POST https://your-mattermost-server.com answered ${status}: ${id}`,
    });
  });

  it('takes no other page for success, and repeats none of its words', async () => {
    for (const body of ['<html>login</html>', '{"id":"x"}', '[]', ''])
      expect(
        (await sendAsBot({}, eventCommand(), { answers: [{ status: 200, body }] })).outcome,
      ).toMatchObject({
        code: 'bad_response',
        retry: 'never',
      });
    expect(
      (await send({}, eventCommand(), { answers: [{ status: 200, body: '<html>' }] })).outcome,
    ).toMatchObject({
      code: 'bad_response',
    });
    for (const id of ['xxx-generatedkey-xxx', 'secretkey', '__proto__', 'a.b', 5]) {
      const { outcome } = await send({}, eventCommand(), { answers: [error(400, id as string)] });
      expect(outcome).toMatchObject({ detail: 'POST https://your-mattermost-server.com answered 400' });
    }
  });

  it('is uncertain when no answer came, and a repeat has the same pending id', async () => {
    const lost = await sendAsBot({}, eventCommand(), {
      answers: [new HttpFailure('timeout', 'no answer', { sent: true })],
    });
    expect(lost.outcome).toMatchObject({ code: 'timeout', retry: 'backoff', uncertain: true });
    const again = await sendAsBot({}, eventCommand(), { context: { possibleDuplicate: true, attempt: 2 } });
    expect(again.body).toEqual(lost.body);
    expect(again.requests).toHaveLength(1);
  });
});
