// Carries out one incident command: build the incident, have it kept once.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import { isFailed, withTemplates } from '../../domain/action/fail.ts';
import type { Failed, Json, Outcome } from '../../domain/action/outcome.ts';
import { shownText } from '../../domain/action/preview.ts';
import { askStore } from '../../domain/action/record/ask-store.ts';
import { manifest } from './manifest.ts';
import { checkIncident, type IncidentParams } from './params.ts';
import { type IncidentRequest, incidentRequest } from './request.ts';

export const incident = checked({
  manifest,
  check: (params) => checkIncident(params as IncidentParams),
  preview(command, { now }) {
    const built = build(command, now);
    if (isFailed(built)) return built;
    const { evidence, warnings, ...shown } = built.incident;
    const output = {
      ...shown,
      description: shownText(shown.description),
      evidence: { rows: evidence.rows.length, total: evidence.total },
    };
    return done(output as unknown as Json, warnings);
  },
  async execute(command, { now, ports }): Promise<Outcome> {
    const { incidents } = ports;
    if (incidents === undefined) throw new TypeError('incident needs the incidents port');
    const built = build(command, now);
    if (isFailed(built)) return built;
    const made = await askStore(() => incidents.create(built.incident, built.event));
    if (isFailed(made)) return made;
    return { ...done({ ...made }, built.incident.warnings), ref: made.incident_id };
  },
});

function build(command: Command, now: number): IncidentRequest | Failed {
  return withTemplates(() => incidentRequest(command, command.params as IncidentParams, now));
}

function done(output: Json, warnings: readonly string[]): Outcome & { readonly status: 'done' } {
  return { status: 'done', output, ...(warnings.length > 0 ? { warnings } : {}) };
}
