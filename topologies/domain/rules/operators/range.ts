// gt, gte, lt, lte: one element lies within the bounds. Bounds are numbers, or words of the severity scale.
//
// A number compares with numbers only and a severity with severity words only: "9.8" in quotes is a text and fits nothing.
import { severities, severityRank } from '../severity.ts';
import type { Operator, Part } from './operator.ts';

export const boundNames = ['gt', 'gte', 'lt', 'lte'] as const;
export type BoundName = (typeof boundNames)[number];

export interface RangeTest {
  readonly op: 'range';
  readonly of: 'number' | 'severity';
  readonly bounds: Readonly<Partial<Record<BoundName, number>>>;
}

/** Takes the whole object of operators, because both ends of a range are one test on one element. */
export const rangeOperator: Operator<RangeTest> = {
  parse(part) {
    const given = part.value as Readonly<Record<string, unknown>>;
    const bounds: Partial<Record<BoundName, number>> = {};
    const kinds = new Set<RangeTest['of']>();
    for (const name of boundNames) {
      if (!Object.hasOwn(given, name)) continue;
      const bound = parseBound(part.at(name, given[name]));
      if (bound === null) return null;
      bounds[name] = bound.value;
      kinds.add(bound.of);
    }
    const [of, other] = kinds;
    if (of === undefined || other !== undefined)
      return part.refuse('numbers and severities cannot be mixed in one range');
    if (bounds.gt !== undefined && bounds.gte !== undefined)
      return part.refuse('gt and gte exclude each other');
    if (bounds.lt !== undefined && bounds.lte !== undefined)
      return part.refuse('lt and lte exclude each other');
    return isEmpty(bounds) ? part.refuse('nothing lies within these bounds') : { op: 'range', of, bounds };
  },
  compile({ of, bounds }) {
    const { gt = Number.NEGATIVE_INFINITY, gte = Number.NEGATIVE_INFINITY } = bounds;
    const { lt = Number.POSITIVE_INFINITY, lte = Number.POSITIVE_INFINITY } = bounds;
    const within = (value: number): boolean => value > gt && value >= gte && value < lt && value <= lte;
    const holds = (element: unknown): boolean => {
      const value = of === 'severity' ? severityRank(element) : element;
      return typeof value === 'number' && within(value);
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};

function parseBound(part: Part): { value: number; of: RangeTest['of'] } | null {
  if (part.comparison === 'identifier') return part.refuse('this operator does not fit here');
  const rank = severityRank(part.value);
  if (rank !== undefined) return { value: rank, of: 'severity' };
  if (part.comparison === 'severity') return part.refuse(`must be a severity: ${severities.join(', ')}`);
  if (typeof part.value === 'number' && Number.isFinite(part.value))
    return { value: part.value, of: 'number' };
  return part.refuse('must be a finite number or a severity; after and before are for dates');
}

function isEmpty({ gt, gte, lt, lte }: RangeTest['bounds']): boolean {
  const low = gt ?? gte;
  const high = lt ?? lte;
  if (low === undefined || high === undefined) return false;
  return low > high || (low === high && (gt !== undefined || lt !== undefined));
}
