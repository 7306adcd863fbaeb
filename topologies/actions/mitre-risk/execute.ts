// Carries out one mitre-risk command: build the scores, have them kept once.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import { isFailed, withTemplates } from '../../domain/action/fail.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import { recordScores, type ScoreRequest, shownScores } from '../../domain/risk/record-scores.ts';
import { manifest } from './manifest.ts';
import { checkMitreRisk, type MitreRiskParams } from './params.ts';
import { mitreRiskRequest } from './request.ts';

export const mitreRisk = checked({
  manifest,
  check: (params) => checkMitreRisk(params as unknown as MitreRiskParams),
  preview(command, { now }) {
    const built = build(command, now);
    return isFailed(built) ? built : shownScores(built);
  },
  async execute(command, { now, ports }): Promise<Outcome> {
    const { risks } = ports;
    if (risks === undefined) throw new TypeError('mitre-risk needs the risks port');
    const built = build(command, now);
    return isFailed(built) ? built : recordScores(risks, command, built);
  },
});

function build(command: Command, now: number): ScoreRequest | Failed {
  return withTemplates(() => mitreRiskRequest(command, command.params as unknown as MitreRiskParams, now));
}
