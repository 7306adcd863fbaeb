// One check of a connection: the least that shows whether an action could use it, over the same clients, secrets and judges.
//
// Invariant: nothing is written, sent or begun there beyond a login; time is bounded whatever the connection allows.
import type { HttpConnection } from '@tocsin/schemas/types.ts';
import { databaseTarget } from '../domain/action/database-target.ts';
import type { ActionManifest, ResolvedConnection } from '../domain/action/define-action.ts';
import { httpTarget } from '../domain/action/http-target.ts';
import { judgeMailFailure } from '../domain/action/judge-smtp.ts';
import type { Failed } from '../domain/action/outcome.ts';
import { httpQuestion, judgeHttpCheck } from '../domain/check/http-check.ts';
import { type CheckOutcome, checkFailed, checkOk } from '../domain/check/outcome.ts';
import { serverOf } from '../domain/mail/send.ts';
import { scriptTarget } from '../domain/script/target.ts';
import { SinkConfigError } from '../domain/sink/define-sink.ts';
import { type DatabaseCheckPort, DatabaseFailure } from '../ports/database.ts';
import { HttpFailure, type HttpPort } from '../ports/http.ts';
import { type MailCheckPort, MailFailure } from '../ports/mail.ts';
import { type ScriptHostCheckPort, ScriptHostFailure } from '../ports/script-host.ts';
import { SyslogFailure, type SyslogPort } from '../ports/syslog.ts';
import { syslogDestination } from '../sinks/syslog/target.ts';

export interface CheckPorts {
  readonly http: HttpPort;
  readonly mail: MailCheckPort;
  readonly database: DatabaseCheckPort;
  readonly syslog: SyslogPort;
  readonly scripts: ScriptHostCheckPort;
}

export interface CheckOptions {
  readonly ports: CheckPorts;
  /** Types of the actions that use the connection. */
  readonly users: readonly Pick<ActionManifest, 'whoami'>[];
  /** Longest time, ms, where the connection has not a shorter one. */
  readonly limitMs: number;
  /** Epoch ms. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** Rejects only for defects: whatever the other side does is an outcome. */
export async function checkConnection(
  connection: ResolvedConnection,
  options: CheckOptions,
): Promise<CheckOutcome> {
  switch (connection.config.type) {
    case 'http':
      return checkHttp(connection, connection.config, options);
    case 'smtp':
      return checkSmtp(connection, options);
    case 'database':
      return checkDatabase(connection, options);
    case 'syslog':
      return checkSyslog(connection, options);
    case 'script-host':
      return checkScriptHost(connection, options);
  }
}

const refused = ({ code, detail }: Failed): CheckOutcome => checkFailed(code, detail, 'nothing');

/** With no more time than a check has. */
function within<T extends { readonly timeoutMs: number }>(target: T, { limitMs }: CheckOptions): T {
  return { ...target, timeoutMs: Math.min(target.timeoutMs, limitMs) };
}

async function checkHttp(
  connection: ResolvedConnection,
  config: HttpConnection,
  options: CheckOptions,
): Promise<CheckOutcome> {
  const found = httpTarget(connection);
  if ('status' in found) return refused(found);
  const { origin, basePath, authorization, tls, timeoutMs, allowCidrs } = within(found, options);
  const question = httpQuestion(config, options.users);
  const url = `${origin}${basePath}${question.path}`;
  const did = `GET ${url}`;
  try {
    const response = await options.ports.http.send({
      method: 'GET',
      url,
      headers: [['accept', 'application/json'], ...authorization],
      timeoutMs,
      allowCidrs,
      signal: options.signal,
      ...(tls === undefined ? {} : { tls }),
    });
    const credential = authorization.length > 0 || config.tls?.cert !== undefined;
    return judgeHttpCheck(response, question, { credential, did, now: options.now });
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error;
    return checkFailed(error.failure, error.message, did);
  }
}

async function checkSmtp(connection: ResolvedConnection, options: CheckOptions): Promise<CheckOutcome> {
  if (connection.config.type !== 'smtp') throw new TypeError('not an SMTP connection');
  const found = serverOf(connection.config, connection);
  if ('status' in found) return refused(found);
  const server = within(found, options);
  const where = `smtp ${server.host}:${server.port}`;
  const did = `EHLO${server.auth === undefined ? '' : ', AUTH'} and QUIT`;
  try {
    await options.ports.mail.greet(server);
    return checkOk(server.auth === undefined ? null : true, `${where} is ready for mail`, did);
  } catch (error) {
    if (!(error instanceof MailFailure)) throw error;
    const { code, detail } = judgeMailFailure(error, where);
    return checkFailed(code === 'smtp_auth' ? 'auth' : error.failure, detail, did);
  }
}

async function checkDatabase(connection: ResolvedConnection, options: CheckOptions): Promise<CheckOutcome> {
  const found = databaseTarget(connection);
  if ('status' in found) return refused(found);
  const server = within(found, options);
  const did = `login and SELECT 1`;
  const where = `${server.engine} ${server.host}:${server.port}`;
  try {
    await options.ports.database.ping(server, options.signal);
    return checkOk(true, `${where} answered`, did);
  } catch (error) {
    if (!(error instanceof DatabaseFailure)) throw error;
    return checkFailed(error.failure, `${where}: ${error.message}`, did);
  }
}

async function checkSyslog(connection: ResolvedConnection, options: CheckOptions): Promise<CheckOutcome> {
  try {
    const target = within(syslogDestination(connection), options);
    const where = `syslog ${target.host}:${target.port}`;
    if (target.carrier === 'datagram') {
      (await options.ports.syslog.datagrams(target)).close();
      const detail = `${where}: the name resolves and the address is allowed; UDP tells no more`;
      return { ...checkOk(null, detail, 'nothing was sent'), reachable: null };
    }
    const open = await options.ports.syslog.connect(target, () => undefined);
    open.destroy();
    await open.over;
    // A receiver that asks for a certificate may refuse it after the handshake (TLS 1.3), so that nothing is proved about ours.
    return checkOk(null, `${where} takes connections`, target.tls === null ? 'TCP connect' : 'TLS handshake');
  } catch (error) {
    if (error instanceof SinkConfigError) return checkFailed('invalid_params', error.message, 'nothing');
    if (!(error instanceof SyslogFailure)) throw error;
    return checkFailed(error.failure, error.message, 'connect');
  }
}

async function checkScriptHost(connection: ResolvedConnection, options: CheckOptions): Promise<CheckOutcome> {
  const found = scriptTarget(connection);
  if ('status' in found) return refused(found);
  const host = within(found.host, options);
  const did = host.executor === 'agent' ? 'a question to the agent' : 'SSH login';
  try {
    await options.ports.scripts.greet(host, options.signal);
    return checkOk(true, `${found.shown} lets us in`, did);
  } catch (error) {
    if (!(error instanceof ScriptHostFailure)) throw error;
    return checkFailed(error.failure, error.message, did);
  }
}
