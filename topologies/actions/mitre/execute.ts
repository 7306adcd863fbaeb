// Carries out one mitre command: build the record, have it kept once.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import { isFailed, withTemplates } from '../../domain/action/fail.ts';
import type { Failed, Json, Outcome } from '../../domain/action/outcome.ts';
import { askStore } from '../../domain/action/record/ask-store.ts';
import { manifest } from './manifest.ts';
import { checkMitre, type MitreParams } from './params.ts';
import { type MitreRequest, mitreRequest } from './request.ts';

export const mitre = checked({
  manifest,
  check: (params) => checkMitre(params as unknown as MitreParams),
  preview(command, { now }) {
    const built = build(command, now);
    return isFailed(built) ? built : done(built.record as unknown as Json, built.warnings);
  },
  async execute(command, { now, ports }): Promise<Outcome> {
    const { mitre: store } = ports;
    if (store === undefined) throw new TypeError('mitre needs the mitre port');
    const built = build(command, now);
    if (isFailed(built)) return built;
    const recorded = await askStore(() => store.record(built.record, built.event));
    return isFailed(recorded) ? recorded : done({ ...recorded }, built.warnings);
  },
});

function build(command: Command, now: number): MitreRequest | Failed {
  return withTemplates(() => mitreRequest(command, command.params as unknown as MitreParams, now));
}

function done(output: Json, warnings: readonly string[]): Outcome {
  return { status: 'done', output, ...(warnings.length > 0 ? { warnings } : {}) };
}
