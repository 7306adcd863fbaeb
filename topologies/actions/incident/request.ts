// Builds one incident and its event: a pure function of command, parameters and time.
//
// Invariant: whatever the values of an event are, an incident comes out of it: what does not fit is cut or left out, with a warning.
// Otherwise an attacker could choose values that keep an incident from being made.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { recordEvent } from '../../domain/action/record/event.ts';
import { writeAdditional, writerWithLocals } from '../../domain/action/record/fields.ts';
import { cut, type Writer, writeLine, writeText } from '../../domain/action/ticket/render.ts';
import { fieldValue } from '../../domain/incident/fields.ts';
import { type InventoryLink, incidentIdOf, type NewIncident } from '../../domain/incident/incident.ts';
import { severityNamed } from '../../domain/incident/severity.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import { lookup } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { rowsOf } from '../../domain/templates/view.ts';
import type { EngineEvent } from '../../ports/incident-store.ts';
import { writeDrilldown } from './drilldown.ts';
import { defaultSeverityOf, type IncidentParams, severitiesOf, workflowOf } from './params.ts';

/** UTF-16 units of title and description; rows and their bytes that are kept as evidence; warnings. */
export const incidentLimits = {
  title: 255,
  description: 65_536,
  rows: 100,
  evidenceBytes: 262_144,
  warnings: 50,
} as const;

export interface IncidentRequest {
  readonly incident: NewIncident;
  readonly event: EngineEvent;
}

/** `now` is epoch ms of this attempt. Throws TemplateError. */
export function incidentRequest(command: Command, params: IncidentParams, now: number): IncidentRequest {
  const writer = writerWithLocals(command, params.local_params, now);
  const workflow = workflowOf(params);
  const { rule, action, source, tenant } = command;
  const parts = {
    title: titleOf(writer, command, params),
    severity: severityOf(writer, params),
    assignee:
      params.assignee === undefined ? null : writeLine(writer, 'assignee', params.assignee, 256) || null,
    description:
      params.description === undefined
        ? ''
        : writeText(writer, 'description', params.description, 'markdown', incidentLimits.description),
    drilldown: writeDrilldown(writer, command, params),
    fields: fieldsOf(writer, params),
    additional_fields: writeAdditional(writer, params.additional_fields, rowsOf(command)),
    inventory: inventoryOf(writer, command, params),
    evidence: evidenceOf(writer, command),
  };
  const incident: NewIncident = {
    id: incidentIdOf(command.command_id),
    command_id: command.command_id,
    tenant: tenant ?? null,
    ...parts,
    severities: severitiesOf(params),
    status: workflow.initial,
    workflow,
    index_suffix: params.index_suffix ?? null,
    field_definitions: params.field_definitions ?? {},
    rule:
      rule === undefined ? null : { id: rule.id, ...(rule.name === undefined ? {} : { name: rule.name }) },
    action: { id: action.id, ...(action.name === undefined ? {} : { name: action.name }) },
    source: { id: source.id, kind: source.kind },
    warnings: [...new Set(writer.warnings)].slice(0, incidentLimits.warnings),
    created_at: command.created_at,
  };
  return { incident, event: createdEvent(command, incident) };
}

function titleOf(writer: Writer, { rule, action }: Command, { title }: IncidentParams): string {
  const written = title === undefined ? '' : writeLine(writer, 'title', title, incidentLimits.title);
  if (written !== '') return written;
  return cut(writer, 'title', rule?.name ?? rule?.id ?? action.name ?? action.id, incidentLimits.title);
}

function severityOf(writer: Writer, params: IncidentParams): string {
  const { severity = '{{severity}}' } = params;
  const rendered = renderText(severity, writer.views, 'none');
  // Not asked for: an event without a severity is nothing to warn of.
  if (params.severity !== undefined) writer.warnings.push(...warningsOf('severity', rendered));
  const text = rendered.text.trim();
  const named = severityNamed(text, severitiesOf(params));
  if (named !== null) return named;
  const standard = defaultSeverityOf(params);
  if (text !== '')
    writer.warnings.push(
      `severity: ${JSON.stringify(text.slice(0, 80).toWellFormed())} is not known; it is ${standard} now`,
    );
  return standard;
}

function fieldsOf(writer: Writer, params: IncidentParams): Readonly<Record<string, Json>> {
  const { field_definitions = {}, incident_fields = {} } = params;
  const fields: [string, Json][] = [];
  for (const [name, definition] of Object.entries(field_definitions)) {
    const at = `incident_fields/${name}`;
    const template = Object.hasOwn(incident_fields, name) ? incident_fields[name] : undefined;
    let value: Json = null;
    if (template !== undefined) {
      const rendered = renderJson(template, writer.views);
      writer.warnings.push(...warningsOf(at, rendered));
      const kept = fieldValue(definition, rendered.value);
      if (typeof kept === 'string') writer.warnings.push(`${at}: ${kept} and was left out`);
      else value = kept.value;
    }
    if (value === null && definition.required === true)
      writer.warnings.push(`${at}: is required and has no value`);
    fields.push([name, value]);
  }
  return Object.fromEntries(fields);
}

function inventoryOf(writer: Writer, command: Command, { inventory }: IncidentParams): InventoryLink | null {
  if (inventory === undefined) return null;
  const match = Object.entries(inventory.match).map(([name, template]): [string, string] => [
    name,
    writeLine(writer, `inventory/match/${name}`, template, 1024),
  ]);
  const nothing = match.find(([, value]) => value === '');
  if (nothing !== undefined) {
    writer.warnings.push(`inventory/match/${nothing[0]}: is empty; the incident is linked to no object`);
    return null;
  }
  const [row] = rowsOf(command);
  const copied = (inventory.copy ?? []).flatMap((name): [string, Json][] => {
    const value = lookup(name, [row]) as Json | undefined;
    if (value !== undefined && Buffer.byteLength(JSON.stringify(value)) <= 8_192) return [[name, value]];
    writer.warnings.push(`inventory/copy: ${name} ${value === undefined ? 'has no value' : 'is too large'}`);
    return [];
  });
  return {
    object_type: inventory.object_type,
    match: Object.fromEntries(match),
    copied: Object.fromEntries(copied),
  };
}

function evidenceOf(writer: Writer, command: Command): NewIncident['evidence'] {
  const rows = rowsOf(command);
  const kept: (typeof rows)[number][] = [];
  let bytes = 0;
  for (const row of rows.slice(0, incidentLimits.rows)) {
    bytes += Buffer.byteLength(JSON.stringify(row));
    if (bytes > incidentLimits.evidenceBytes) break;
    kept.push(row);
  }
  if (kept.length < rows.length)
    writer.warnings.push(`evidence: ${kept.length} of ${rows.length} rows are kept`);
  return { rows: kept, total: rows.length };
}

function createdEvent(command: Command, incident: NewIncident): EngineEvent {
  return recordEvent(command, {
    id: `${incident.id}.created`,
    event: 'incident.created',
    subject: incident.id,
    at: incident.created_at,
    data: {
      incident_id: incident.id,
      title: incident.title,
      severity: incident.severity,
      status: incident.status,
      assignee: incident.assignee,
      description: incident.description,
      index: indexOf(incident),
      drilldown: incident.drilldown,
      fields: incident.fields,
      additional_fields: incident.additional_fields,
      inventory: incident.inventory,
      rows: incident.evidence.total,
    },
  });
}

/** Name of the index that the incident belongs to. */
export function indexOf({ index_suffix: suffix }: Pick<NewIncident, 'index_suffix'>): string {
  return suffix === null ? 'incidents' : `incidents-${suffix}`;
}
