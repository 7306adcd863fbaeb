// The configuration file of an agent, YAML or JSON: read whole, checked whole, refused with the place of what is wrong.
//
// Invariant: an agent that starts has a way to know its clients, and scripts that exist and nobody but their owners can change.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, extname, resolve } from 'node:path';
import { checkDocument, formatIssues, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { AgentScript, ScriptAgent } from '@tocsin/schemas/types.ts';
import { entryIssues } from '@tocsin/topologies/domain/script/catalogue.ts';
import { keptBytes } from '@tocsin/topologies/domain/script/output.ts';
import { parseYaml } from '../config/yaml-text.ts';
import { checkScriptFile } from './script-file.ts';

export interface HostUser {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export type HostScript = AgentScript & {
  /** null: the user of the agent. */
  readonly hostUser: HostUser | null;
};

export interface AgentConfig {
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM. null: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string | null } | null;
  /** Any of them lets a client in; none: its certificate does. */
  readonly tokens: readonly string[];
  readonly stateDir: string;
  /** Links followed. */
  readonly folders: readonly string[];
  readonly path: string;
  readonly home: string;
  readonly scripts: Readonly<Record<string, HostScript>>;
  readonly allowShell: boolean;
  readonly shellUser: HostUser | null;
  readonly concurrency: number;
  readonly outputBytes: number;
  readonly killAfterMs: number;
  readonly keepDays: number;
}

/** The file is no configuration that an agent can start with. */
export class AgentConfigError extends Error {
  override readonly name = 'AgentConfigError';
}

/** Throws AgentConfigError, whose message names the file and the place in it. */
export function readAgentConfig(file: string): AgentConfig {
  const fail = (why: string): never => {
    throw new AgentConfigError(`${file}: ${why}`);
  };
  let document: ScriptAgent;
  try {
    const text = readFileSync(file, 'utf8');
    document = (extname(file) === '.json' ? JSON.parse(text) : parseYaml(text)) as ScriptAgent;
  } catch (error) {
    return fail((error as Error).message);
  }
  const issues = checkDocument('script-agent.json', document);
  if (issues.length > 0) return fail(formatIssues(issues));
  const base = dirname(resolve(file));
  const read = (at: string, path: string): string => {
    try {
      return readFileSync(resolve(base, path), 'utf8');
    } catch (error) {
      return fail(`${at}: ${(error as Error).message}`);
    }
  };
  const found: Issue[] = [];
  const userOf = (at: string, name: string | undefined): HostUser | null => {
    if (name === undefined) return null;
    const user = lookupUser(name);
    const me = process.getuid?.();
    if (user === null) found.push({ path: at, message: `there is no user ${name}` });
    else if (me !== 0 && user.uid !== me)
      found.push({ path: at, message: 'only an agent that runs as root can run scripts as another user' });
    return user;
  };
  const folders = document.folders.flatMap((folder, index) => {
    try {
      return [realpathSync(folder)];
    } catch (error) {
      found.push({ path: `/folders/${index}`, message: (error as Error).message });
      return [];
    }
  });
  const scripts: Record<string, HostScript> = {};
  for (const [name, entry] of Object.entries(document.scripts ?? {})) {
    const at = `/scripts/${name}`;
    const { path, sha256 } = entry;
    const state = checkScriptFile({ path, folders, ...(sha256 === undefined ? {} : { sha256 }) });
    if ('refused' in state) found.push({ path: `${at}/path`, message: state.refused });
    found.push(...entryIssues(entry).map((issue) => ({ ...issue, path: `${at}${issue.path}` })));
    scripts[name] = { ...entry, hostUser: userOf(`${at}/user`, entry.user) };
  }
  const tls =
    document.tls === undefined
      ? null
      : {
          cert: read('/tls/cert_file', document.tls.cert_file),
          key: read('/tls/key_file', document.tls.key_file),
          clientCa:
            document.tls.client_ca_file === undefined
              ? null
              : read('/tls/client_ca_file', document.tls.client_ca_file),
        };
  const tokens =
    document.token_file === undefined
      ? []
      : read('/token_file', document.token_file)
          .split('\n')
          .map((line) => line.trim())
          .filter((line) => line !== '');
  const { host = '127.0.0.1', port = 7443 } = document.listen ?? {};
  found.push(...accessIssues(document, tokens, host));
  const shellUser = userOf('/shell_user', document.shell_user);
  if (found.length > 0) return fail(formatIssues(found));
  mkdirSync(document.state_dir, { recursive: true, mode: 0o700 });
  return {
    listen: { host, port },
    tls,
    tokens,
    stateDir: document.state_dir,
    folders,
    path: document.path ?? '/usr/local/bin:/usr/bin:/bin',
    home: homedir(),
    scripts,
    allowShell: document.allow_shell ?? false,
    shellUser,
    concurrency: document.concurrency ?? 8,
    outputBytes: document.output_bytes ?? keptBytes,
    killAfterMs: document.kill_after_ms ?? 10_000,
    keepDays: document.keep_days ?? 60,
  };
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost']);

function accessIssues(
  { token_file, tls, allow_insecure = false }: ScriptAgent,
  tokens: readonly string[],
  host: string,
): Issue[] {
  const issues: Issue[] = [];
  if (token_file === undefined && tls?.client_ca_file === undefined)
    issues.push({ path: '/token_file', message: 'is required without tls.client_ca_file' });
  if (token_file !== undefined && tokens.length === 0)
    issues.push({ path: '/token_file', message: 'holds no token' });
  if (tokens.some((token) => !/^[\x21-\x7e]{32,512}$/.test(token)))
    issues.push({ path: '/token_file', message: 'a token has 32 to 512 characters without spaces' });
  if (tls === undefined && !loopback.has(host) && !allow_insecure)
    issues.push({
      path: '/tls',
      message: 'is required to listen on an address that is not loopback, or allow_insecure: true',
    });
  return issues;
}

function lookupUser(name: string): HostUser | null {
  try {
    const line = execFileSync('getent', ['passwd', '--', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [, , uid, gid, , home = '/'] = line.trim().split(':');
    return { uid: Number(uid), gid: Number(gid), home };
  } catch {
    return null;
  }
}
