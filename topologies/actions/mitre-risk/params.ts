// Parameters of the MITRE ATT&CK risk action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { checkAdditional, type FieldTemplates } from '../../domain/action/record/fields.ts';
import { decimalOf } from '../../domain/formats/decimal.ts';
import { checkNumber, checkScoring, type ScoringParams } from '../../domain/risk/scoring-type.ts';
import { checkTemplate } from '../../domain/templates/check.ts';

export const categories = ['system', 'user'] as const;
export type Category = (typeof categories)[number];

export interface MitreRiskParams extends ScoringParams {
  readonly name?: string;
  readonly category: Category | readonly Category[];
  readonly score: number | string;
  readonly fidelity?: number | string;
  readonly entity_fields?: { readonly [category in Category]?: string };
  readonly index?: string;
  readonly additional_fields?: FieldTemplates;
}

/** The categories, each once, in a fixed order. */
export function categoriesOf({ category }: MitreRiskParams): readonly Category[] {
  return categories.filter((one) =>
    typeof category === 'string' ? category === one : category.includes(one),
  );
}

/** Issues of schema-valid parameters. */
export function checkMitreRisk(params: MitreRiskParams): Issue[] {
  const { fidelity, entity_fields = {} } = params;
  const weight = typeof fidelity === 'string' ? decimalOf(fidelity) : null;
  return [
    ...checkTemplate(params.name, 'none', '/name'),
    ...checkNumber(params.score, '/score'),
    ...checkNumber(fidelity, '/fidelity'),
    ...(weight !== null && (weight < 0 || weight > 1)
      ? [{ path: '/fidelity', message: 'must be from 0 to 1' }]
      : []),
    ...categories.flatMap((one) => checkTemplate(entity_fields[one], 'none', `/entity_fields/${one}`)),
    ...categories
      .filter((one) => entity_fields[one] !== undefined && !categoriesOf(params).includes(one))
      .map((one) => ({ path: `/entity_fields/${one}`, message: `${one} is not in category` })),
    ...checkScoring(params),
    ...checkAdditional(params.additional_fields, new Set(['incident_id'])),
  ];
}
