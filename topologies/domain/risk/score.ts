// A risk score: points that an object has from one moment to another.
import { failed } from '../action/fail.ts';
import type { Failed, Json } from '../action/outcome.ts';
import type { Writer } from '../action/ticket/render.ts';
import { decimalOf } from '../formats/decimal.ts';
import { escapeHeader } from '../templates/escape.ts';
import { plainChat } from '../templates/escape-chat.ts';
import { renderText, warningsOf } from '../templates/render.ts';

export interface RiskObject {
  /** Such as user or system. */
  readonly type: string;
  readonly id: string;
}

export interface RiskScore {
  readonly object: RiskObject;
  /** Action type that gave it. */
  readonly kind: 'risk' | 'mitre-risk';
  readonly name: string | null;
  readonly scoring_type: string;
  readonly score: number;
  /** From 0 to 1. */
  readonly fidelity: number;
  /** score x fidelity. */
  readonly effective: number;
  /** Name of the index that the record belongs to. */
  readonly index: string;
  readonly fields: Readonly<Record<string, Json>>;
  /** Row of the run; null for an event or a whole set. */
  readonly row_index: number | null;
  /** Epoch ms. */
  readonly scored_at: number;
  /** Epoch ms; it no longer counts from then on. Null: it counts for ever. */
  readonly expires_at: number | null;
}

/** Points of one score, either way; characters of an id. */
export const riskLimits = { score: 1_000_000_000, id: 256, objects: 1_000 } as const;

export const objectTypePattern = '^[a-z][a-z0-9_-]{0,63}$';

/** No two objects have the same: a type holds no colon. */
export function objectKey({ type, id }: RiskObject): string {
  return `${type}:${id}`;
}

/** The product without the dust of binary fractions: 0.1 x 3 is 0.3. */
export function effectiveScore(score: number, fidelity: number): number {
  return Number((score * fidelity).toPrecision(15));
}

/** Sum of what counts at a moment: begun, and not expired. Epoch ms. */
export function totalAt(
  scores: readonly Pick<RiskScore, 'effective' | 'scored_at' | 'expires_at'>[],
  at: number,
): number {
  const counted = scores.filter(
    ({ scored_at, expires_at }) => scored_at <= at && (expires_at === null || expires_at > at),
  );
  return Number(counted.reduce((sum, { effective }) => sum + effective, 0).toPrecision(15));
}

/** A number that was configured or comes from a token, within limits; otherwise a failure that names the field. */
export function writeNumber(
  writer: Writer,
  field: string,
  given: number | string,
  limits: { readonly min: number; readonly max: number },
): number | Failed {
  let value: number | null = null;
  let shown = String(given);
  if (typeof given === 'number') value = given;
  else {
    const rendered = renderText(given, writer.views, 'none');
    writer.warnings.push(...warningsOf(field, rendered));
    shown = rendered.text;
    const [nothing] = rendered.empty;
    if (nothing !== undefined) return failed('template', `${field}: {{${nothing}}} has no value`);
    value = decimalOf(rendered.text);
  }
  if (value === null || !Number.isFinite(value))
    return failed('template', `${field}: ${JSON.stringify(shown.slice(0, 80).toWellFormed())} is no number`);
  if (value < limits.min || value > limits.max)
    return failed('template', `${field}: ${value} is not from ${limits.min} to ${limits.max}`);
  // No minus zero: it is another text.
  return value + 0;
}

/** The id of an object, one line, or why there is none. A part that is missing would make many objects one. */
export function writeObjectId(writer: Writer, field: string, template: string): string | Failed {
  const rendered = renderText(template, writer.views, 'none');
  const [nothing] = rendered.empty;
  if (nothing !== undefined) return failed('template', `${field}: {{${nothing}}} has no value`);
  const id = escapeHeader(plainChat(rendered.text)).trim();
  if (id === '') return failed('template', `${field}: is empty`);
  return id.length > riskLimits.id
    ? failed('template', `${field}: has more than ${riskLimits.id} characters`)
    : id;
}
