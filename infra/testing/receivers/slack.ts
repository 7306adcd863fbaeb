// Slack's Web API over HTTP, as far as posting needs it: chat.postMessage with a bot token.
//
// Surprise: what is wrong is said in the body, under status 200 (docs.slack.dev/apis/web-api/#evaluating-responses).
import { giveAnswer } from './answers.ts';
import { listen, readBody } from './http-server.ts';

export interface SlackMessage {
  /** `<seconds>.<number>`, the name of the message in its channel. */
  readonly ts: string;
  readonly channel: string;
  readonly text: string;
  /** `metadata.event_payload.command_id`; null for a message without. */
  readonly commandId: string | null;
}

export interface SlackReceiver {
  readonly url: string;
  readonly port: number;
  /** In the order of posting. */
  readonly messages: readonly SlackMessage[];
  /** Errors that posts were answered with. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

interface Posted {
  readonly channel?: string;
  readonly text?: string;
  readonly metadata?: { readonly event_payload?: { readonly command_id?: string } };
}

/** Takes messages for `channels` with `token`; others are answered with the errors of the API. */
export async function startSlackReceiver(options: {
  readonly token: string;
  readonly channels: readonly string[];
}): Promise<SlackReceiver> {
  const messages: SlackMessage[] = [];
  const errors: string[] = [];

  function post(authorization: string | undefined, body: Buffer): Record<string, unknown> {
    if (authorization === undefined) return { ok: false, error: 'not_authed' };
    if (authorization !== `Bearer ${options.token}`) return { ok: false, error: 'invalid_auth' };
    const { channel, text, metadata } = parsed(body);
    if (channel === undefined || !options.channels.includes(channel))
      return { ok: false, error: 'channel_not_found' };
    if (text === undefined || text === '') return { ok: false, error: 'no_text' };
    const ts = `${Math.floor(Date.now() / 1000)}.${String(messages.length).padStart(6, '0')}`;
    messages.push({ ts, channel, text, commandId: metadata?.event_payload?.command_id ?? null });
    return { ok: true, channel, ts, message: { text } };
  }

  const server = await listen(async (request, response) => {
    const body = await readBody(request, 1024 * 1024).catch(() => null);
    if (body === null) return request.socket.destroy();
    const known = request.method === 'POST' && request.url === '/api/chat.postMessage';
    const answer: Record<string, unknown> = known
      ? post(request.headers.authorization, body)
      : { ok: false, error: 'unknown_method' };
    if (typeof answer['error'] === 'string') errors.push(answer['error']);
    giveAnswer(request, response, {
      status: 200,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(answer),
    });
  });
  return { ...server, messages, errors };
}

function parsed(body: Buffer): Posted {
  try {
    return JSON.parse(body.toString('utf8')) as Posted;
  } catch {
    return {};
  }
}
