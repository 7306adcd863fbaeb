// What a person may do to an incident: move it along its workflow, assign it, edit its fields. Pure; the store applies what comes out.
//
// Invariant: every change is a list of old and new values, and nothing changes that is not in it.
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../action/outcome.ts';
import { fieldValue } from './fields.ts';
import type { NewIncident } from './incident.ts';
import { nextOf } from './workflow.ts';

/** An incident as far as changes read it. */
export type Changeable = Pick<
  NewIncident,
  | 'title'
  | 'severity'
  | 'severities'
  | 'status'
  | 'workflow'
  | 'assignee'
  | 'description'
  | 'field_definitions'
  | 'fields'
  | 'additional_fields'
>;

export type Change =
  | { readonly verb: 'status'; readonly status: string }
  | { readonly verb: 'assign'; readonly assignee: string | null }
  | { readonly verb: 'comment' }
  | { readonly verb: 'edit'; readonly edit: Edit };

export interface Edit {
  readonly title?: string;
  readonly severity?: string;
  readonly description?: string;
  /** Names that are not mentioned stay; null empties one. */
  readonly fields?: Readonly<Record<string, Json>>;
  /** As `fields`; null removes one. */
  readonly additional_fields?: Readonly<Record<string, Json>>;
}

export interface FieldChange {
  /** title, status, or `fields/<name>`. */
  readonly field: string;
  readonly old: Json;
  readonly new: Json;
}

export interface Changed {
  readonly changes: readonly FieldChange[];
  /** New values of what changed. */
  readonly next: Partial<
    Pick<
      NewIncident,
      'title' | 'severity' | 'status' | 'assignee' | 'description' | 'fields' | 'additional_fields'
    >
  >;
}

/** Why a change cannot be. `conflict`: the incident is in a state that does not allow it. */
export interface Refused {
  readonly refused: 'conflict' | 'invalid';
  /** JSON Pointer into what was asked for. */
  readonly path: string;
  readonly message: string;
}

/** Most additional fields of an incident. */
export const additionalMax = 100;

export function decideChange(incident: Changeable, change: Change): Changed | Refused {
  switch (change.verb) {
    case 'comment':
      return { changes: [], next: {} };
    case 'assign':
      return changed(incident, { assignee: change.assignee });
    case 'status':
      return moved(incident, change.status);
    case 'edit':
      return edited(incident, change.edit);
  }
}

function moved(incident: Changeable, status: string): Changed | Refused {
  const { workflow, status: from } = incident;
  if (!Object.hasOwn(workflow.statuses, status))
    return {
      refused: 'invalid',
      path: '/status',
      message: `is no status of the workflow ${workflow.name}: ${Object.keys(workflow.statuses).join(', ')}`,
    };
  const next = nextOf(workflow, from);
  if (!next.includes(status))
    return {
      refused: 'conflict',
      path: '/status',
      message: `${from} cannot become ${status}; it can become ${next.length === 0 ? 'nothing' : next.join(', ')}`,
    };
  return changed(incident, { status });
}

function edited(incident: Changeable, edit: Edit): Changed | Refused {
  const { severity } = edit;
  if (severity !== undefined && !incident.severities.includes(severity))
    return {
      refused: 'invalid',
      path: '/severity',
      message: `is none of ${incident.severities.join(', ')}`,
    };
  const fields: Record<string, Json> = { ...incident.fields };
  for (const [name, value] of Object.entries(edit.fields ?? {})) {
    const path = `/fields/${name}`;
    const definition = Object.hasOwn(incident.field_definitions, name)
      ? incident.field_definitions[name]
      : undefined;
    if (definition === undefined)
      return { refused: 'invalid', path, message: 'is no field of this incident' };
    const kept = fieldValue(definition, value);
    if (typeof kept === 'string') return { refused: 'invalid', path, message: kept };
    if (kept.value === null && definition.required === true)
      return { refused: 'invalid', path, message: 'is required' };
    fields[name] = kept.value;
  }
  const additional: Record<string, Json> = { ...incident.additional_fields };
  for (const [name, value] of Object.entries(edit.additional_fields ?? {}))
    if (value === null) delete additional[name];
    else additional[name] = value;
  if (Object.keys(additional).length > additionalMax)
    return {
      refused: 'invalid',
      path: '/additional_fields',
      message: `an incident has at most ${additionalMax}`,
    };
  const { title, description } = edit;
  return changed(incident, {
    ...(title === undefined ? {} : { title }),
    ...(severity === undefined ? {} : { severity }),
    ...(description === undefined ? {} : { description }),
    fields,
    additional_fields: additional,
  });
}

function changed(incident: Changeable, wanted: Changed['next']): Changed {
  const changes: FieldChange[] = [];
  const next: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(wanted)) {
    const before = incident[name as keyof typeof wanted];
    if (isDeepStrictEqual(before, value)) continue;
    next[name] = value;
    if (name !== 'fields' && name !== 'additional_fields') {
      changes.push({ field: name, old: (before ?? null) as Json, new: value as Json });
      continue;
    }
    const old = before as Readonly<Record<string, Json>>;
    const now = value as Readonly<Record<string, Json>>;
    for (const member of new Set([...Object.keys(old), ...Object.keys(now)])) {
      const [was, is] = [old[member] ?? null, now[member] ?? null];
      if (!isDeepStrictEqual(was, is)) changes.push({ field: `${name}/${member}`, old: was, new: is });
    }
  }
  return { changes, next: next as Changed['next'] };
}
