// Builds one record of techniques and its event: a pure function of command, parameters and time.
import type { Command } from '@tocsin/schemas/types.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import { causedAt, recordEvent } from '../../domain/action/record/event.ts';
import { writeAdditional, writerWithLocals } from '../../domain/action/record/fields.ts';
import { type Writer, writeLine } from '../../domain/action/ticket/render.ts';
import { linkedIncident } from '../../domain/evaluate/incident-link.ts';
import { incidentIdPattern } from '../../domain/incident/incident.ts';
import type { MitreRecord, MitreSeverity } from '../../domain/mitre/record.ts';
import { attackVersion, techniqueOf, techniquePattern } from '../../domain/mitre/techniques.ts';
import { indexNamed } from '../../domain/risk/index-name.ts';
import { severityRank } from '../../domain/rules/severity.ts';
import { textOf } from '../../domain/templates/escape.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { rowsOf } from '../../domain/templates/view.ts';
import type { EngineEvent } from '../../ports/incident-store.ts';
import type { MitreParams } from './params.ts';

/** Techniques of one record. */
export const techniquesMax = 100;

export interface MitreRequest {
  readonly record: MitreRecord;
  readonly event: EngineEvent;
  readonly warnings: readonly string[];
}

/** `now` is epoch ms of this attempt. Throws TemplateError. */
export function mitreRequest(command: Command, params: MitreParams, now: number): MitreRequest | Failed {
  const writer = writerWithLocals(command, undefined, now);
  const techniques = writeTechniques(writer, params);
  if (isFailed(techniques)) return techniques;
  const incident = incidentOf(writer, command, params);
  if (isFailed(incident)) return incident;
  const { rule, action, source, row_index, subject, tenant } = command;
  const at = causedAt(command);
  const name = params.name === undefined ? '' : writeLine(writer, 'name', params.name, 256);
  const runId = subject.search?.['run_id'];
  const record: MitreRecord = {
    command_id: command.command_id,
    tenant: tenant ?? null,
    name: name === '' ? (action.name ?? action.id) : name,
    rule_id: rule?.id ?? null,
    rule: params.rule ?? rule?.name ?? rule?.id ?? null,
    layer: params.layer,
    techniques,
    tactics: [...new Set(techniques.flatMap((id) => techniqueOf(id)?.tactics ?? []))].sort(),
    ...writeSeverity(writer, params),
    index: indexNamed(params.index ?? '.smos_mitre-{yyyy}.{MM}', at),
    source_id: source.id,
    event_id: source.kind === 'event' ? source.id : null,
    run_id: runId === undefined ? null : textOf(runId),
    row_index: row_index === 'all' || subject.rows === undefined ? null : row_index,
    incident_id: incident,
    fields: writeAdditional(writer, params.additional_fields, rowsOf(command)),
    at,
  };
  return {
    record,
    event: recordedEvent(command, record),
    warnings: [...new Set(writer.warnings)].slice(0, 50),
  };
}

/** Ids in the order in which they are named, each once. What is no id is left out with a warning; without any it fails. */
function writeTechniques(writer: Writer, { techniques }: MitreParams): readonly string[] | Failed {
  const ids = new Set<string>();
  for (const [index, template] of techniques.entries()) {
    const field = `techniques/${index}`;
    const rendered = renderText(template, writer.views, 'none');
    writer.warnings.push(...warningsOf(field, rendered));
    for (const part of rendered.text.split(/[\s,;]+/)) {
      const id = part.toUpperCase();
      if (id === '') continue;
      if (techniquePattern.test(id)) ids.add(id);
      else
        writer.warnings.push(
          `${field}: ${JSON.stringify(part.slice(0, 40).toWellFormed())} is no id and was left out`,
        );
    }
  }
  if (ids.size === 0)
    return failed('template', ['techniques: no id in them', ...writer.warnings.slice(0, 5)].join('; '));
  if (ids.size > techniquesMax) return failed('too_large', `techniques: more than ${techniquesMax} ids`);
  for (const id of ids) {
    const technique = techniqueOf(id);
    const state = technique === null ? 'unknown' : technique.state;
    if (state !== null) writer.warnings.push(`techniques: ${id} is ${state} in ATT&CK ${attackVersion}`);
  }
  return [...ids];
}

function writeSeverity(
  writer: Writer,
  params: MitreParams,
): { readonly severity: MitreSeverity; readonly original_severity: string | null } {
  const rendered = renderText(params.severity ?? '{{severity}}', writer.views, 'none');
  if (params.severity !== undefined) writer.warnings.push(...warningsOf('severity', rendered));
  const original = rendered.text.trim().slice(0, 64).toWellFormed();
  const rank = severityRank(original);
  const severity = rank === undefined || rank === 2 ? 'medium' : rank > 2 ? 'high' : 'low';
  if (rank === undefined && original !== '')
    writer.warnings.push(`severity: ${JSON.stringify(original)} is not known; it is medium now`);
  return { severity, original_severity: original === '' ? null : original };
}

function incidentOf(writer: Writer, command: Command, { incident_id }: MitreParams): string | null | Failed {
  if (incident_id === undefined) return linkedIncident(command);
  const rendered = renderText(incident_id, writer.views, 'none');
  const id = rendered.text.trim();
  if (incidentIdPattern.test(id)) return id;
  const [nothing] = rendered.empty;
  return failed(
    'template',
    `incident_id: ${nothing === undefined ? 'is no id of an incident' : `{{${nothing}}} has no value`}`,
  );
}

function recordedEvent(command: Command, { at, tenant: _, command_id, ...record }: MitreRecord): EngineEvent {
  const { incident_id, ...rest } = record;
  return recordEvent(command, {
    id: `${command_id}.mitre`,
    event: 'mitre.recorded',
    subject: record.layer,
    at,
    data: {
      '@timestamp': new Date(at).toISOString(),
      ...rest,
      attack_version: attackVersion,
      ...(incident_id === null ? {} : { incident_id }),
    },
  });
}
