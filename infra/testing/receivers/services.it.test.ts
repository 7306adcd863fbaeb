// The receivers that stand for Slack, Elasticsearch and a syslog server answer as those do.
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startBulkReceiver } from './bulk.ts';
import { startSlackReceiver } from './slack.ts';
import { startSyslogReceiver } from './syslog.ts';

test('Slack: a message is posted with its token and channel; the errors of the API come with status 200', async () => {
  const slack = await startSlackReceiver({ token: 't', channels: ['#a'] });
  const post = async (body: unknown, token: string | null = 't', method = 'chat.postMessage') => {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${slack.url}/api/${method}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return [answer.status, await answer.json()];
  };
  try {
    const message = {
      channel: '#a',
      text: 'hello',
      metadata: { event_type: 'x', event_payload: { command_id: 'c1' } },
    };
    expect(await post(message)).toMatchObject([200, { ok: true, channel: '#a' }]);
    expect(slack.messages).toMatchObject([{ channel: '#a', text: 'hello', commandId: 'c1' }]);
    for (const [body, token, error, method] of [
      [message, null, 'not_authed'],
      [message, 'x', 'invalid_auth'],
      [{ ...message, channel: '#b' }, 't', 'channel_not_found'],
      [{ channel: '#a' }, 't', 'no_text'],
      [message, 't', 'unknown_method', 'chat.update'],
    ] as const)
      expect(await post(body, token, method)).toEqual([200, { ok: false, error }]);
    expect(slack.messages).toHaveLength(1);
  } finally {
    await slack.close();
  }
});

test('_bulk: a document is created once, item by item; a cut body and a wrong key are refused', async () => {
  const bulk = await startBulkReceiver({ apiKey: 'k' });
  const send = async (body: string, key = 'k') => {
    const headers = { authorization: `ApiKey ${key}`, 'content-type': 'application/x-ndjson' };
    const answer = await fetch(`${bulk.url}/_bulk`, { method: 'POST', headers, body });
    return [answer.status, (await answer.json()) as unknown];
  };
  const line = (id: string) => `{"create":{"_index":"i","_id":"${id}"}}\n{"n":1}\n`;
  try {
    expect(await send(line('a') + line('b'))).toEqual([
      200,
      { errors: false, items: [{ create: { status: 201 } }, { create: { status: 201 } }] },
    ]);
    expect(await send(line('b') + line('c'))).toMatchObject([
      200,
      { errors: true, items: [{ create: { status: 409 } }, { create: { status: 201 } }] },
    ]);
    expect(await send('{"create":{"_index":"i"}}\n{}\n')).toMatchObject([200, { errors: true }]);
    expect(await send(line('d').trimEnd())).toMatchObject([400, {}]);
    expect(await send(line('e'), 'wrong')).toMatchObject([401, {}]);
    expect([...bulk.documents.keys()]).toEqual(['i/a', 'i/b', 'i/c']);
  } finally {
    await bulk.close();
  }
});

test('syslog: messages of all connections, and the end of each is answered', async () => {
  const syslog = await startSyslogReceiver();
  try {
    for (const text of ['5 <1>ab5 <1>cd', '5 <1>ef9 <1>']) {
      const socket = connect(syslog.port, '127.0.0.1');
      socket.end(text);
      socket.resume();
      await once(socket, 'close');
    }
    expect(syslog.messages).toEqual(['<1>ab', '<1>cd', '<1>ef']);
    expect(syslog.broken()).toBe(1);
  } finally {
    await syslog.close();
  }
});
