// Carries out one mitre-risk command: build the scores, have them kept once.
import { checked } from '../../domain/action/check-params.ts';
import { scoringAction } from '../../domain/risk/record-scores.ts';
import { manifest } from './manifest.ts';
import { checkMitreRisk, type MitreRiskParams } from './params.ts';
import { mitreRiskRequest } from './request.ts';

export const mitreRisk = checked({
  manifest,
  check: (params) => checkMitreRisk(params as unknown as MitreRiskParams),
  ...scoringAction((command, now) =>
    mitreRiskRequest(command, command.params as unknown as MitreRiskParams, now),
  ),
});
