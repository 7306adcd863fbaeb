// Scripts over SSH: one session that begins the run, or finds it, and stays until it ends.
//
// Invariant: nothing is sent to a server whose host key is not pinned, credentials least of all; a session that breaks after the run
// was asked for leaves it `begun`.
//
// Surprise: the socket is ours and checked against the egress policy before SSH speaks; ssh2 alone would connect anywhere.
import type { Socket } from 'node:net';
import { keptBytes } from '@tocsin/topologies/domain/script/output.ts';
import { runId } from '@tocsin/topologies/domain/script/protocol.ts';
import { HttpFailure } from '@tocsin/topologies/ports/http.ts';
import {
  type ScriptEnd,
  type ScriptHost,
  ScriptHostFailure,
  type ScriptRun,
  type ScriptSignals,
  type SshHost,
} from '@tocsin/topologies/ports/script-host.ts';
import ssh2, { type ClientChannel, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2';
import { connectGuarded } from '../http/connect.ts';
import type { EgressPolicy } from '../http/egress-policy.ts';
import type { Lookup } from '../http/resolve.ts';
import { readAnswer, type SshAnswer } from './ssh-answer.ts';
import { askCommand, cancelCommand, maxCommandBytes, runCommand } from './ssh-command.ts';

export interface SshSettings {
  readonly egress: EgressPolicy;
  readonly lookup: Lookup;
  /** After a cancel the end is waited for so long, ms. */
  readonly cancelMs: number;
}

type Host = ScriptHost & SshHost;
type Client = InstanceType<typeof ssh2.Client>;

/** Bytes of an answer; both outputs and a login shell that talks fit. */
const maxAnswerBytes = 2 * keptBytes + 256 * 1024;
const graceMs = 10_000;
const failed = (
  failure: ScriptHostFailure['failure'],
  message: string,
  begun: boolean,
  cause?: unknown,
): ScriptHostFailure => new ScriptHostFailure(failure, message, { begun, cause });

/** See ScriptHostPort. */
export async function runOverSsh(
  host: Host,
  run: ScriptRun,
  { cancel, signal }: ScriptSignals,
  settings: SshSettings,
): Promise<ScriptEnd> {
  const command = commandOf(run);
  const client = await login(host, run.askOnly, signal, settings);
  const leave = (): void => void client.destroy();
  signal.addEventListener('abort', leave, { once: true });
  let cancelled = Promise.resolve();
  let deadline: NodeJS.Timeout | undefined;
  const stop = (): void => {
    deadline = setTimeout(leave, settings.cancelMs);
    // Where it is lost, the end is not waited for any longer than that.
    cancelled = exec(client, cancelCommand(runId(run)), null).then(
      () => undefined,
      () => undefined,
    );
  };
  const stdin = run.askOnly ? null : (run.stdin ?? '');
  try {
    const answering = exec(client, command, stdin);
    if (cancel.aborted) stop();
    else cancel.addEventListener('abort', stop, { once: true });
    return endOf(await answering);
  } catch (error) {
    if (signal.aborted) throw failed('aborted', 'nobody waits for its end here any more', true, error);
    if (error instanceof ScriptHostFailure) throw error;
    throw failed('reset', `the session broke: ${(error as Error).message}`, true, error);
  } finally {
    signal.removeEventListener('abort', leave);
    cancel.removeEventListener('abort', stop);
    clearTimeout(deadline);
    await cancelled;
    client.end();
  }
}

/** Logs in and leaves. Rejects with ScriptHostFailure only. */
export async function greetOverSsh(host: Host, signal: AbortSignal, settings: SshSettings): Promise<void> {
  (await login(host, false, signal, settings)).end();
}

function commandOf(run: ScriptRun): string {
  const id = runId(run);
  if (run.askOnly) return askCommand(id);
  if (!('words' in run.call)) throw new TypeError('a run over SSH is given by its words');
  const { commandId, environment, stdin, timeLimitMs } = run;
  let command: string;
  try {
    command = runCommand({
      id,
      commandId,
      words: run.call.words,
      environment,
      stdinBytes: Buffer.byteLength(stdin ?? ''),
      timeLimitMs: timeLimitMs ?? 300_000,
      keepBytes: keptBytes,
      graceMs,
    });
  } catch (error) {
    if (error instanceof RangeError) throw failed('refused', error.message, false, error);
    throw error;
  }
  if (Buffer.byteLength(command) > maxCommandBytes)
    throw failed('refused', 'arguments and environment are too long for a command line', false);
  return command;
}

function endOf(answer: SshAnswer): ScriptEnd {
  switch (answer.state) {
    case 'ended':
      return answer.end;
    case 'unknown':
      throw failed('unknown', 'the host has never begun this run', true);
    case 'uncertain':
      throw failed('uncertain', 'the host has begun it and does not know how it ended', true);
    case 'refused':
      throw failed('refused', answer.detail, false);
    case 'broken':
      throw failed('reset', 'standard input did not arrive whole; nothing was begun', false);
    default:
      throw failed('protocol', 'the host answered something else', true);
  }
}

/** Runs one command line and reads its answer. Rejects when the session breaks before that is whole. */
function exec(client: Client, command: string, stdin: string | null): Promise<SshAnswer> {
  return new Promise((resolve, reject) => {
    const onGone = (): void => reject(new Error('the connection closed'));
    client.once('close', onGone);
    client.exec(command, (error, channel: ClientChannel) => {
      if (error) {
        reject(failed('protocol', `the server runs no command: ${error.message}`, false, error));
        return;
      }
      const parts: Buffer[] = [];
      let bytes = 0;
      channel.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes <= maxAnswerBytes) parts.push(part);
      });
      // Left unread it would stop the channel.
      let complaint = '';
      channel.stderr.on('data', (part: Buffer) => {
        complaint = (complaint + part.toString('utf8')).slice(0, 300);
      });
      channel.on('error', reject);
      channel.on('close', () => {
        client.removeListener('close', onGone);
        const answer = readAnswer(Buffer.concat(parts));
        if (answer !== null) resolve(answer);
        else reject(failed('protocol', `the host did not answer as a POSIX shell does: ${complaint}`, true));
      });
      channel.end(stdin ?? '');
    });
  });
}

/** Connects, checks the host key, logs in. Nothing of the run has been sent when it fails. */
async function login(
  host: Host,
  begun: boolean,
  signal: AbortSignal,
  settings: SshSettings,
): Promise<Client> {
  const sock = await connect(host, begun, settings);
  const pinned = host.hostKeys.map((line) => Buffer.from(line.split(' ')[1] ?? '', 'base64'));
  let isOther = false;
  const client = new ssh2.Client();
  const config: ConnectConfig = {
    sock,
    username: host.user,
    hostVerifier: (key: Buffer) => {
      isOther = !pinned.some((each) => each.equals(key));
      return !isOther;
    },
    algorithms: { serverHostKey: host.hostKeys.flatMap(algorithmsOf) },
    ...(host.privateKey === undefined ? {} : { privateKey: host.privateKey }),
    ...(host.passphrase === undefined ? {} : { passphrase: host.passphrase }),
    ...(host.password === undefined ? {} : { password: host.password }),
    readyTimeout: host.timeoutMs,
    keepaliveInterval: 10_000,
    keepaliveCountMax: 3,
  };
  return new Promise((resolve, reject) => {
    const leave = (): void => fail(new Error('nobody waits any more'));
    const fail = (error: Error & { level?: string }): void => {
      signal.removeEventListener('abort', leave);
      client.destroy();
      sock.destroy();
      reject(loginFailure(error, { isOther, aborted: signal.aborted, begun, where: whereOf(host) }));
    };
    if (signal.aborted) return fail(new Error('nobody waits any more'));
    signal.addEventListener('abort', leave, { once: true });
    client.once('ready', () => {
      signal.removeEventListener('abort', leave);
      client.removeListener('error', fail);
      // A broken session shows as the end of its channels.
      client.on('error', () => undefined);
      resolve(client);
    });
    client.once('error', fail);
    client.once('close', () => fail(new Error('the server closed the connection')));
    try {
      client.connect(config);
    } catch (error) {
      // A private key that cannot be read, or whose passphrase is another one.
      fail(Object.assign(error as Error, { level: 'client-authentication' }));
    }
  });
}

function loginFailure(
  error: Error & { readonly level?: string },
  about: { isOther: boolean; aborted: boolean; begun: boolean; where: string },
): ScriptHostFailure {
  const { isOther, aborted, begun, where } = about;
  if (aborted) return failed('aborted', error.message, begun, error);
  if (isOther) return failed('host_key', `${where} shows a host key that is not pinned`, begun, error);
  if (error.level === 'client-authentication')
    return failed('auth', `${where} refused the login: ${error.message}`, begun, error);
  if (error.level === 'client-timeout') return failed('timeout', `${where}: ${error.message}`, begun, error);
  // A server with none of the pinned kinds of keys.
  if (error.level === 'handshake' && /no matching host key/i.test(error.message))
    return failed('host_key', `${where} has no host key of a pinned kind`, begun, error);
  return failed('connect', `${where}: ${error.message}`, begun, error);
}

function whereOf({ host, port }: SshHost): string {
  return `ssh://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

// RFC 8332: an ssh-rsa key signs with SHA-2.
function algorithmsOf(line: string): ServerHostKeyAlgorithm[] {
  const kind = line.split(' ')[0] as ServerHostKeyAlgorithm;
  return kind === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [kind];
}

async function connect(host: Host, begun: boolean, { egress, lookup }: SshSettings): Promise<Socket> {
  const { timeoutMs, allowCidrs } = host;
  try {
    const destination = egress.destination(host.host, allowCidrs);
    const target = { hostname: host.host, port: String(host.port), protocol: 'ssh:' };
    return await new Promise((resolve, reject) =>
      connectGuarded(target, { destination, lookup, tls: {}, timeoutMs }, (error, socket) =>
        socket === null ? reject(error) : resolve(socket),
      ),
    );
  } catch (error) {
    // A malformed range in the connection's list refuses, it does not widen.
    if (error instanceof RangeError) throw failed('denied', error.message, begun, error);
    if (error instanceof HttpFailure) throw failed(error.failure, error.message, begun, error);
    throw error;
  }
}
