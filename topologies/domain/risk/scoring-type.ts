// Types of scores: how long a score of each counts.
import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import { decimalOf } from '../formats/decimal.ts';
import { isoDurationMs } from '../playbooks/duration.ts';
import { checkTemplate } from '../templates/check.ts';
import { riskLimits } from './score.ts';

export type ScoringTypes = Readonly<Record<string, { readonly lifespan: string | null }>>;

export interface ScoringParams {
  readonly scoring_type?: string;
  readonly scoring_types?: ScoringTypes;
}

export const defaultScoringTypes: ScoringTypes = { default: { lifespan: 'P30D' } };

const maxLifespanMs = 3_653 * 86_400_000;
const typeName = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$' };

/** `what` the points are for. */
export function scoreParam(what: string): JsonSchema {
  return {
    description: `${what}; a number, or a template that gives one. Negative ones are a credit.`,
    oneOf: [
      { type: 'number', minimum: -riskLimits.score, maximum: riskLimits.score },
      { type: 'string', minLength: 1, maxLength: 256 },
    ],
  };
}

export const scoringParams = {
  scoring_type: { ...typeName, default: 'default', description: 'Type of the score: one of scoring_types.' },
  scoring_types: {
    type: 'object',
    minProperties: 1,
    maxProperties: 50,
    propertyNames: typeName,
    default: defaultScoringTypes,
    description:
      'Types of scores by name, with the lifespan of each: an ISO 8601 duration such as P30D, at most ten years; null counts for ever.',
    additionalProperties: {
      type: 'object',
      additionalProperties: false,
      required: ['lifespan'],
      properties: { lifespan: { type: ['string', 'null'], maxLength: 32 } },
    },
  },
} satisfies Record<string, JsonSchema>;

export function checkScoring({
  scoring_type: name = 'default',
  scoring_types: types = defaultScoringTypes,
}: ScoringParams): Issue[] {
  const issues = Object.entries(types).flatMap(([type, { lifespan }]) => {
    if (lifespan === null) return [];
    const ms = isoDurationMs(lifespan);
    const path = `/scoring_types/${type}/lifespan`;
    if (ms === null) return [{ path, message: 'is no ISO 8601 duration of fixed length, such as P30D' }];
    return ms > 0 && ms <= maxLifespanMs ? [] : [{ path, message: 'must be from PT1S to ten years' }];
  });
  if (!Object.hasOwn(types, name))
    issues.push({ path: '/scoring_type', message: `is none of ${Object.keys(types).join(', ')}` });
  return issues;
}

/** When a score of the type ends to count; null: never. Epoch ms. The parameters were checked. */
export function expiryOf(
  { scoring_type: name = 'default', scoring_types: types = defaultScoringTypes }: ScoringParams,
  at: number,
): number | null {
  const lifespan = types[name]?.lifespan ?? null;
  const ms = lifespan === null ? null : isoDurationMs(lifespan);
  return ms === null ? null : at + ms;
}

/** A text that is no template must be a number already. */
export function checkNumber(given: number | string | undefined, path: string): Issue[] {
  if (typeof given !== 'string') return [];
  if (given.includes('{{')) return checkTemplate(given, 'none', path);
  return decimalOf(given) === null ? [{ path, message: 'is no number' }] : [];
}
