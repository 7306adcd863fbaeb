// What an action type is: a manifest (data) and three functions. Everything else about it lives in its folder.

import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import type { Command, Connection } from '@tocsin/schemas/types.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DatabasePort } from '../../ports/database.ts';
import type { FileStorePort } from '../../ports/file-store.ts';
import type { HttpPort } from '../../ports/http.ts';
import type { IncidentStorePort } from '../../ports/incident-store.ts';
import type { LineLogPort } from '../../ports/line-log.ts';
import type { MailPort } from '../../ports/mail.ts';
import type { MitreStorePort } from '../../ports/mitre-store.ts';
import type { RecordsPort } from '../../ports/records.ts';
import type { RiskStorePort } from '../../ports/risk-store.ts';
import type { ScriptHostPort } from '../../ports/script-host.ts';
import type { SecretValue } from '../../ports/secrets.ts';
import type { SyslogPort } from '../../ports/syslog.ts';
import type { Topic } from '../../topics.ts';
import type { FailureCode, Outcome, Progress } from './outcome.ts';

/** Every outside system that an action may touch. A worker hands an action only what its manifest needs. */
export interface ActionPorts {
  readonly http: HttpPort;
  readonly mail: MailPort;
  readonly lineLog: LineLogPort;
  readonly database: DatabasePort;
  /** Reports, under plain names. */
  readonly files: FileStorePort;
  /** Exports, under paths. */
  readonly lake: FileStorePort;
  readonly syslog: SyslogPort;
  readonly records: RecordsPort;
  readonly incidents: IncidentStorePort;
  readonly risks: RiskStorePort;
  readonly mitre: MitreStorePort;
  readonly scripts: ScriptHostPort;
  /** For those who have to wait within an attempt. */
  readonly clock: Clock;
}

export type ConnectionTypes = Connection['type'] | readonly Connection['type'][] | null;

/** The types of connections that a manifest allows. */
export function connectionTypes(allowed: ConnectionTypes): readonly Connection['type'][] {
  if (allowed === null) return [];
  return typeof allowed === 'string' ? [allowed] : allowed;
}

export type PortName = keyof ActionPorts;

export interface ActionManifest {
  /** Type id, also the topic word: commands.<id>.v1. */
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  /** Version of Tocsin that brought it. */
  readonly since: string;
  /** JSON Schema of the parameters, with descriptions, examples, defaults; unknown fields refused. */
  readonly params: JsonSchema;
  readonly examples: readonly {
    readonly title: string;
    readonly params: Readonly<Record<string, unknown>>;
  }[];
  /** Members of the output of an attempt that worked, for later steps and history: name to meaning. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Failure codes of its own, beside those that its ports and its connection bring (failures.ts). */
  readonly failures?: readonly FailureCode[];
  readonly needs: readonly PortName[];
  /** Topics that systems outside read and that it writes through its `records` port. */
  readonly asks?: readonly Topic[];
  /** Type of the connection that the action uses, or the types of which its parameters choose one; null when it needs none. */
  readonly connection: ConnectionTypes;
  /**
   * What the product reads with GET to say who a credential is, changing nothing: checks of connections ask it. `member`: the member of
   * the JSON answer that must be true as well.
   */
  readonly whoami?: { readonly path: string; readonly member?: string };
  /** What `run_once: true` means for this type. */
  readonly runOnce: 'all' | 'first';
  /** Mode when neither rule nor action says one. */
  readonly defaultMode: 'each' | 'all';
  /**
   * key: the receiver gets the command id and can tell a repeat; an uncertain attempt is repeated by default.
   * none: a repeat acts twice; an uncertain attempt is held by default.
   */
  readonly idempotency: 'key' | 'none';
  /** Limits of a destination whose connection sets none, where they are not those of all connections. */
  readonly lane?: { readonly ratePerSecond?: number };
  /** Within a rule: 'makes' incidents; 'follows': its commands know the incident of an earlier entry. */
  readonly incident?: 'makes' | 'follows';
  /** 'whole': a command of a playbook carries all that the run knows; otherwise only what templates name. */
  readonly runContext?: 'whole';
  /**
   * Whoever uses the type in a rule, action or playbook needs the grant `action:<id>`, and its commands are denied without it
   * (grants.ts). For types that reach beyond what an editor is trusted with.
   */
  readonly privileged?: true;
  /**
   * What it begins outside takes long and can be broken off: an attempt hears when the command is given up, keeps `timeout_ms` itself,
   * and ends its wait when the partition of the command goes to another worker, who asks for the end.
   */
  readonly cancellable?: true;
  /** Where the effects ledger of this type lives: 'durable' (PostgreSQL) or 'fast' (Redis). */
  readonly ledger: 'durable' | 'fast';
}

/** What the state machine of runs has to know of the type of a command. */
export type CommandTraits = Pick<ActionManifest, 'runContext' | 'cancellable'>;

/** Types that commands may have, by id. */
export interface CommandTypes {
  get(type: string): CommandTraits | undefined;
}

/** The connection of a command at the moment of execution, its secrets resolved. */
export interface ResolvedConnection {
  readonly config: Connection;
  readonly secrets: Readonly<Record<string, SecretValue>>;
}

export interface PreviewContext {
  readonly connection: ResolvedConnection | null;
  /** Epoch ms at the start of this attempt. */
  readonly now: number;
}

export interface ActionContext extends PreviewContext {
  readonly ports: Partial<ActionPorts>;
  /** From 1. */
  readonly attempt: number;
  /** An earlier attempt may have had its effect: a receiver that can be asked is asked before it is repeated. */
  readonly possibleDuplicate?: boolean;
  /** The same of an earlier attempt of this very round: nobody has asked for a repetition. */
  readonly begun?: boolean;
  /** What earlier attempts of the command have done, as `note` kept it last, whatever ended them. */
  readonly progress?: Progress;
  /**
   * For actions of several parts, after one that is done and before the next: keeps `progress` for attempts to come, also when this worker
   * dies. Waits for the ledger, never rejects, and does nothing once the attempt is over. What it says is no longer uncertain. The last
   * part needs none: the outcome follows. Absent where no attempt would follow.
   */
  readonly note?: (progress: Progress) => Promise<void>;
  /** Of cancellable types: whoever called for the command gives it up. */
  readonly cancel?: AbortSignal;
  readonly signal: AbortSignal;
}

export interface Action {
  readonly manifest: ActionManifest;
  /**
   * Checks beyond the JSON Schema, at save and again before execution: template syntax, reserved headers.
   * `params` already fits manifest.params. Paths are JSON Pointers into params.
   */
  check(params: Readonly<Record<string, unknown>>): Issue[];
  /** What `idempotency` is with these parameters, where it is not that of the manifest. */
  idempotencyOf?(params: Readonly<Record<string, unknown>>): ActionManifest['idempotency'];
  /** Whether these parameters need the connection that the manifest names; without it they always do. */
  needsConnection?(params: Readonly<Record<string, unknown>>): boolean;
  /** Contradictions between the parameters and the connection, at save and again before execution; paths as in check. */
  checkConnection?(params: Readonly<Record<string, unknown>>, connection: Connection): Issue[];
  /** The mode that the parameters themselves ask for when neither rule nor action says one; null when they do not. */
  modeOf?(params: Readonly<Record<string, unknown>>): Command['mode'] | null;
  /**
   * A dry run: what execute would send, rendered and checked, as `output`; credentials are left out and nothing is opened. Failures are
   * those that execute returns before it sends. Throws TemplateError as execute's templates do.
   */
  preview(command: Command, context: PreviewContext): Outcome;
  /** One attempt. Expected failures are returned; a throw is a bug: dead letter, no retry. */
  execute(command: Command, context: ActionContext): Promise<Outcome>;
}
