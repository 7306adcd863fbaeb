// The part of CACAO Security Playbooks 2.0 that is written and read here: types, identifiers, limits.
//
// Source: OASIS CACAO Security Playbooks Version 2.0; its sections are named where a rule is used.
export interface Variable {
  readonly type: string;
  readonly description?: string;
  readonly value?: string | null;
  readonly constant?: boolean;
  readonly external?: boolean;
}

export interface CacaoCommand {
  readonly type: string;
  readonly [member: string]: unknown;
}

export type StepType =
  | 'start'
  | 'end'
  | 'action'
  | 'playbook-action'
  | 'parallel'
  | 'if-condition'
  | 'while-condition'
  | 'switch-condition';

export const stepTypes: readonly StepType[] = [
  'start',
  'end',
  'action',
  'playbook-action',
  'parallel',
  'if-condition',
  'while-condition',
  'switch-condition',
];

export interface CacaoStep {
  readonly type: StepType;
  readonly name?: string;
  readonly description?: string;
  /** ms. */
  readonly delay?: number;
  readonly timeout?: number;
  readonly step_variables?: Readonly<Record<string, Variable>>;
  readonly on_completion?: string;
  readonly on_success?: string;
  readonly on_failure?: string;
  readonly step_extensions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly commands?: readonly CacaoCommand[];
  readonly agent?: string;
  readonly targets?: readonly string[];
  readonly in_args?: readonly string[];
  readonly out_args?: readonly string[];
  readonly playbook_id?: string;
  readonly next_steps?: readonly string[];
  readonly condition?: string;
  readonly on_true?: string;
  readonly on_false?: string;
  readonly switch?: string;
  readonly cases?: Readonly<Record<string, string>>;
}

export interface Agent {
  readonly type: string;
  readonly name: string;
  readonly description?: string;
  readonly address?: Readonly<Record<string, readonly string[]>>;
}

export interface CacaoPlaybook {
  readonly type: 'playbook';
  readonly spec_version: 'cacao-2.0';
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly labels?: readonly string[];
  readonly created_by: string;
  readonly created: string;
  readonly modified: string;
  readonly playbook_variables?: Readonly<Record<string, Variable>>;
  readonly workflow_start: string;
  readonly workflow: Readonly<Record<string, CacaoStep>>;
  readonly playbook_extensions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly agent_definitions?: Readonly<Record<string, Agent>>;
  readonly extension_definitions?: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

/** Section 10.10: `<type>--<UUID>`. */
export const identifier =
  /^([a-z][a-z0-9-]+[a-z0-9])--([0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$/i;

/** Type of an identifier; null when it is none. */
export function typeOf(id: string): string | null {
  return identifier.exec(id)?.[1] ?? null;
}

/** UUID of an identifier, lower case. */
export function uuidOf(id: string): string {
  return (identifier.exec(id)?.[2] ?? '').toLowerCase();
}

/** Our extension: what a step or a playbook has that CACAO has no member for. Made once, never to change. */
export const extensionId = 'extension-definition--c01de273-877e-4baa-8656-97637ce82322';

export const extensionDefinition = {
  type: 'extension-definition',
  name: 'Tocsin playbook members',
  description:
    'Members of Tocsin playbooks and steps that CACAO has no property for, so that an import restores them.',
  created_by: 'identity--d91feb40-407d-4dfd-addf-e9b810e18938',
  schema:
    'step_id: id of the step. step_kind: its kind. step_members: its members but lists of steps. step_part: when or gate, for a condition that belongs to the step step_id. playbook_id, playbook_members, playbook_names: id, members and variable paths of the playbook.',
  version: '1.0.0',
} as const;

/** Top-level members without a counterpart that an import keeps for the next export. */
export const keptMembers = [
  'playbook_types',
  'playbook_activities',
  'valid_from',
  'valid_until',
  'derived_from',
  'related_to',
  'priority',
  'severity',
  'impact',
  'industry_sectors',
  'external_references',
  'markings',
  'data_marking_definitions',
] as const;

export const cacaoLimits = {
  /** UTF-8 bytes of the document as JSON. */
  bytes: 1024 * 1024,
  /** Levels of objects and lists. */
  depth: 40,
  /** Steps of the workflow, `start` and every `end` counted. */
  steps: 3000,
  /** Faults that are named. */
  issues: 50,
} as const;
