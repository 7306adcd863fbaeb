// Which host a connection means, how it is logged in to, and, over SSH, what its catalogue makes of a call.
//
// Surprise: an agent has its own catalogue and judges a call itself; over SSH nobody is there to do that, so the catalogue of the
// connection is applied here, before anything is sent.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { ScriptHostConnection } from '@tocsin/schemas/types.ts';
import type { ScriptHost, ScriptRun } from '../../ports/script-host.ts';
import type { ResolvedConnection } from '../action/define-action.ts';
import { failed } from '../action/fail.ts';
import { hostOf } from '../action/http-target.ts';
import type { Failed } from '../action/outcome.ts';
import { entryIssues, environmentProblem, type ResolvedCall, resolveCall, timeLimitMs } from './catalogue.ts';

export interface ScriptTarget {
  readonly host: ScriptHost;
  /** For people. */
  readonly shown: string;
  /** The run as the host is asked for it, or why it is refused. */
  resolve<Run extends Omit<ScriptRun, 'askOnly'>>(run: Run): Run | { readonly refused: string };
}

export const defaultPorts = { agent: 7443, ssh: 22 } as const;
const sshOnly = ['user', 'host_keys', 'scripts', 'allow_shell'] as const;
const agentOnly = ['protocol', 'allow_insecure', 'tls'] as const;

/** Problems of a connection beyond its schema, as JSON Pointers into it; for saving and for execution. */
export function checkScriptConnection(config: ScriptHostConnection): Issue[] {
  const issues: Issue[] = [];
  const executor = config.executor ?? 'agent';
  if (hostOf(config.host) === null)
    issues.push({
      path: '/host',
      message: 'must be a host name or an IP address, without scheme, port, path or user',
    });
  for (const field of executor === 'agent' ? sshOnly : agentOnly)
    if (config[field] !== undefined)
      issues.push({ path: `/${field}`, message: `is not for the executor ${executor}` });
  if (issues.length > 0) return issues;
  const secrets = new Set(Object.keys(config.secrets ?? {}));
  if (executor === 'agent') {
    const insecure = config.protocol === 'http';
    if (insecure && config.allow_insecure !== true)
      issues.push({ path: '/allow_insecure', message: 'must be true for protocol http' });
    if (insecure && config.tls !== undefined)
      issues.push({ path: '/tls', message: 'cannot be set for protocol http' });
    if (!secrets.has('token') && config.tls?.cert === undefined)
      issues.push({ path: '/secrets/token', message: 'is required without a client certificate' });
    return issues;
  }
  for (const field of ['user', 'host_keys'] as const)
    if (config[field] === undefined)
      issues.push({ path: `/${field}`, message: 'is required for the executor ssh' });
  if (config.scripts === undefined && config.allow_shell !== true)
    issues.push({ path: '/scripts', message: 'is required for the executor ssh' });
  if (!secrets.has('ssh_key') && !secrets.has('password'))
    issues.push({ path: '/secrets/ssh_key', message: 'is required, or secrets.password' });
  for (const [name, entry] of Object.entries(config.scripts ?? {}))
    issues.push(
      ...entryIssues(entry).map(({ path, message }) => ({ path: `/scripts/${name}${path}`, message })),
    );
  return issues;
}

/** The host of a resolved connection, or why it cannot be used. Such failures pause: the configuration is to be mended. */
export function scriptTarget(connection: ResolvedConnection | null): ScriptTarget | Failed {
  if (connection === null || connection.config.type !== 'script-host')
    return failed('unknown_connection', 'the action has no script-host connection');
  const { config, secrets } = connection;
  const secretOf = (name: string): string | undefined => secrets[name]?.reveal();
  const missing = ['token', 'ssh_key', 'password', 'tls_key'].find(
    (name) => config.secrets?.[name] !== undefined && secretOf(name) === undefined,
  );
  if (missing !== undefined) return unusable(config, `secrets.${missing} is missing`, 'secret');
  // What was resolved counts: a test or a file may hand secrets over without a reference.
  const names = Object.fromEntries(Object.keys(secrets).map((name) => [name, { env: 'X' }]));
  const issue = checkScriptConnection({ ...config, secrets: { ...config.secrets, ...names } })[0];
  if (issue !== undefined)
    return unusable(
      config,
      `${issue.path} ${issue.message}`,
      issue.path.startsWith('/secrets') ? 'secret' : 'invalid_params',
    );
  return config.executor === 'ssh' ? sshTarget(config, secretOf) : agentTarget(config, secretOf);
}

function unusable(config: ScriptHostConnection, why: string, code: 'secret' | 'invalid_params'): Failed {
  return failed(code, `connection ${config.id}: ${why}`, 'pause');
}

type SecretOf = (name: string) => string | undefined;

function limits(config: ScriptHostConnection, secretOf: SecretOf) {
  const secrets = ['token', 'tls_key', 'ssh_key', 'ssh_passphrase', 'password'].flatMap(
    (name) => secretOf(name) ?? [],
  );
  return { timeoutMs: config.timeout_ms ?? 15_000, allowCidrs: config.allow_cidrs ?? [], secrets };
}

function agentTarget(config: ScriptHostConnection, secretOf: SecretOf): ScriptTarget | Failed {
  const protocol = config.protocol ?? 'https';
  const { origin } = new URL(`${protocol}://${hostOf(config.host)}:${config.port ?? defaultPorts.agent}`);
  const [token, key] = [secretOf('token'), secretOf('tls_key')];
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    return unusable(config, 'secrets.token does not fit in a header', 'secret');
  return {
    host: {
      executor: 'agent',
      origin,
      authorization: token === undefined ? [] : [['authorization', `Bearer ${token}`]],
      ...(config.tls === undefined && key === undefined
        ? {}
        : { tls: { ...config.tls, ...(key === undefined ? {} : { key }) } }),
      ...limits(config, secretOf),
    },
    shown: origin,
    resolve: (run) => run,
  };
}

function sshTarget(config: ScriptHostConnection, secretOf: SecretOf): ScriptTarget {
  const { user = '', host_keys: hostKeys = [], scripts = {}, allow_shell: allowShell = false } = config;
  const host = (hostOf(config.host) ?? '').replace(/^\[|\]$/g, '');
  const port = config.port ?? defaultPorts.ssh;
  const [privateKey, passphrase, password] = ['ssh_key', 'ssh_passphrase', 'password'].map(secretOf);
  return {
    host: {
      executor: 'ssh',
      host,
      port,
      user,
      hostKeys,
      ...(privateKey === undefined ? {} : { privateKey }),
      ...(passphrase === undefined ? {} : { passphrase }),
      ...(password === undefined ? {} : { password }),
      ...limits(config, secretOf),
    },
    shown: `ssh://${user}@${host.includes(':') ? `[${host}]` : host}:${port}`,
    resolve(run) {
      const call = resolveCall(run.call, { scripts, allowShell });
      if ('refused' in call) return call;
      const refused = environmentProblem(call.entry, run.environment);
      if (refused !== null) return { refused };
      return {
        ...run,
        call: { words: wordsOf(call) },
        stdin: call.entry?.stdin === false ? null : run.stdin,
        timeLimitMs: timeLimitMs(call.entry, run.timeLimitMs),
      };
    },
  };
}

/** Program and arguments of what is run. */
export function wordsOf({ entry, shell, arguments: rest }: ResolvedCall): string[] {
  if (entry === null) return ['/bin/sh', '-c', shell ?? '', 'sh', ...rest];
  return [...(entry.interpreter === undefined ? [] : [entry.interpreter]), entry.path, ...rest];
}
