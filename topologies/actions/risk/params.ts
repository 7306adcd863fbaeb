// Parameters of the risk action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { checkAdditional, type FieldTemplates } from '../../domain/action/record/fields.ts';
import { checkNumber, checkScoring, type ScoringParams } from '../../domain/risk/scoring-type.ts';
import { checkTemplate } from '../../domain/templates/check.ts';

export interface RiskParams extends ScoringParams {
  readonly score: number | string;
  readonly object: { readonly type: string; readonly id: string };
  readonly index: string;
  readonly result_fields?: FieldTemplates;
}

/** Issues of schema-valid parameters. */
export function checkRisk(params: RiskParams): Issue[] {
  return [
    ...checkNumber(params.score, '/score'),
    ...checkTemplate(params.object.id, 'none', '/object/id'),
    ...checkScoring(params),
    ...checkAdditional(params.result_fields, new Set(), '/result_fields'),
  ];
}
