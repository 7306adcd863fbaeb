// Messages of the syslog sink, as its tests ask for them.
import type { FakeSyslog, FakeSyslogConnection } from '../../ports/fakes/syslog.ts';
import { syslogConnection } from '../../testing/fixtures.ts';
import { frameAll } from '../contract.ts';
import type { SyslogParams } from './manifest.ts';
import { syslog } from './sink.ts';

export const host = { name: 'sensor.example.com', onCut: (): void => undefined };

/** The body of these events. */
export function bodyOf(
  params: SyslogParams,
  values: readonly string[],
  connection = syslogConnection(),
  onCut = host.onCut,
): Buffer {
  return frameAll(syslog.open({ ...params }, connection, { ...host, onCut }), values);
}

/** Messages of a body with octet counting; throws when it is anything else. */
export function messagesOf(body: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < body.length; ) {
    const found = /^([1-9]\d*) /.exec(body.toString('latin1', at, at + 12));
    if (found === null) throw new Error(`no octet count at ${at}`);
    const start = at + found[0].length;
    const end = start + Number(found[1]);
    if (end > body.length) throw new Error(`a count beyond the end at ${at}`);
    messages.push(
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body.subarray(start, end)),
    );
    at = end;
  }
  return messages;
}

/** One message of one event. */
export function messageOf(params: SyslogParams, event: unknown, connection = syslogConnection()): string {
  return messagesOf(bodyOf(params, [JSON.stringify(event)], connection))[0]!;
}

/** Answers as librelp does; `answer` says what to each message. */
export function librelp(port: FakeSyslog, answer: (message: string) => string | null = () => '200 OK'): void {
  const rests = new Map<FakeSyslogConnection, string>();
  port.onWrite = (connection, bytes) => {
    let rest = (rests.get(connection) ?? '') + bytes.toString('latin1');
    for (;;) {
      const found = /^(\d+) (\w+) (\d+) ?/.exec(rest);
      if (found === null) break;
      const [head, number, command, length] = found as unknown as [string, string, string, string];
      const end = (length === '0' ? head.trimEnd().length : head.length) + Number(length);
      if (rest.length <= end) break;
      if (rest[end] !== '\n') throw new Error(`no line feed at ${end}`);
      const data = rest.slice(end - Number(length), end);
      rest = rest.slice(end + 1);
      const text =
        command === 'open' ? `200 OK\nrelp_version=0\nrelp_software=librelp\ncommands=syslog` : answer(data);
      if (text !== null) connection.send(`${number} rsp ${text.length} ${text}\n`);
    }
    rests.set(connection, rest);
  };
}
