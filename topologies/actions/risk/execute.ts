// Carries out one risk command: build the scores, have them kept once.
import { checked } from '../../domain/action/check-params.ts';
import { scoringAction } from '../../domain/risk/record-scores.ts';
import { manifest } from './manifest.ts';
import { checkRisk, type RiskParams } from './params.ts';
import { riskRequest } from './request.ts';

export const risk = checked({
  manifest,
  check: (params) => checkRisk(params as unknown as RiskParams),
  ...scoringAction((command, now) => riskRequest(command, command.params as unknown as RiskParams, now)),
});
