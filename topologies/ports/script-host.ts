// Scripts on a host that is not ours: over its agent, or over SSH. A run is known to the host by command and round.
//
// Invariant: a host begins a run of one command and round at most once, whoever asks and how often.
import type { ScriptCall } from '../domain/script/catalogue.ts';
import type { Captured } from '../domain/script/output.ts';
import type { HttpTls } from './http.ts';

export interface AgentHost {
  readonly executor: 'agent';
  /** Scheme, host and port. */
  readonly origin: string;
  /** At most one header with the credential. */
  readonly authorization: readonly (readonly [string, string])[];
  readonly tls?: HttpTls;
}

export interface SshHost {
  readonly executor: 'ssh';
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Public keys that the server may show, `type base64`; any other is refused. */
  readonly hostKeys: readonly string[];
  readonly privateKey?: string;
  readonly passphrase?: string;
  readonly password?: string;
}

export type ScriptHost = (AgentHost | SshHost) & {
  /** To connect and log in, and for each request, ms. */
  readonly timeoutMs: number;
  /** Addresses the host may resolve to beyond what the egress mode allows, as CIDR. */
  readonly allowCidrs: readonly string[];
  /** Values that are taken out of what the script wrote. */
  readonly secrets: readonly string[];
};

export interface ScriptRun {
  readonly commandId: string;
  /** From 1. */
  readonly round: number;
  /** Over SSH always words: there the catalogue is part of the connection. */
  readonly call: ScriptCall;
  readonly environment: Readonly<Record<string, string>>;
  /** null: the script has an empty standard input. */
  readonly stdin: string | null;
  /** null: what the host's catalogue says. */
  readonly timeLimitMs: number | null;
  /** The host may have begun it already: it is asked, and a run that it does not know is not begun. */
  readonly askOnly: boolean;
}

/** How a script ended. */
export interface ScriptEnd {
  /** null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: Captured;
  readonly stderr: Captured;
  /** Epoch ms by the clock of the host. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** It was broken off: TERM to its process group, and KILL where that was not enough. */
  readonly stopped: { readonly by: 'cancel' | 'time_limit'; readonly killed: boolean } | null;
}

export type ScriptHostFailureClass =
  | 'denied'
  | 'dns'
  | 'connect'
  | 'tls'
  /** The SSH server shows a key that is not pinned. */
  | 'host_key'
  /** It does not take our credentials. */
  | 'auth'
  | 'timeout'
  | 'reset'
  | 'protocol'
  /** Our signal. */
  | 'aborted'
  /** The host does not run such a call. */
  | 'refused'
  /** The host runs as much as it may; nothing was begun. */
  | 'busy'
  /** Asked only: the host has never begun this run. */
  | 'unknown'
  /** The host has begun it and cannot tell how it ended. */
  | 'uncertain';

export class ScriptHostFailure extends Error {
  readonly failure: ScriptHostFailureClass;
  /** The script may have been begun. */
  readonly begun: boolean;
  constructor(
    failure: ScriptHostFailureClass,
    message: string,
    options: { begun: boolean; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.name = 'ScriptHostFailure';
    this.failure = failure;
    this.begun = options.begun;
  }
}

export interface ScriptSignals {
  /** The run is to be broken off; its end is waited for all the same. */
  readonly cancel: AbortSignal;
  /** Nobody waits here any more; the script goes on, and somebody else asks for its end. */
  readonly signal: AbortSignal;
}

export interface ScriptHostPort {
  /** Begins the run unless the host knows it, and waits for its end. Rejects with ScriptHostFailure only. */
  run(host: ScriptHost, run: ScriptRun, signals: ScriptSignals): Promise<ScriptEnd>;
}

/** For checks of connections. */
export interface ScriptHostCheckPort {
  /** Whether the host lets us in; nothing is begun there. Rejects with ScriptHostFailure only. */
  greet(host: ScriptHost, signal: AbortSignal): Promise<void>;
}
