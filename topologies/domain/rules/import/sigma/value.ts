// One value of a Sigma detection after its modifiers: what is looked for in a field.
import type { SigmaText } from './text.ts';

export const dateParts = ['minute', 'hour', 'day', 'week', 'month', 'year'] as const;
export type DatePart = (typeof dateParts)[number];

export type Value =
  | {
      readonly kind: 'text';
      readonly text: SigmaText;
      readonly cased: boolean;
      /** The text in UTF-16, for a Base64 modifier that follows. */
      readonly bytes?: Uint8Array;
      /** false: only the bytes are what is meant. */
      readonly isText?: false;
    }
  | { readonly kind: 'scalar'; readonly value: number | boolean | null }
  | { readonly kind: 'regex'; readonly source: string; readonly flags: string }
  | { readonly kind: 'cidr'; readonly network: string }
  | { readonly kind: 'exists'; readonly there: boolean }
  | { readonly kind: 'compare'; readonly operator: 'gt' | 'gte' | 'lt' | 'lte'; readonly bound: number }
  | {
      readonly kind: 'field';
      readonly name: string;
      readonly at: 'equal' | 'prefix' | 'suffix' | 'contains';
    }
  | { readonly kind: 'date'; readonly part: DatePart; readonly number: number }
  /** A placeholder such as %Administrators%. */
  | { readonly kind: 'list'; readonly placeholder: string };

/** Everything that one `field|modifier: values` says. */
export interface Item {
  /** null: the values are keywords, looked for in every text of the event. */
  readonly field: string | null;
  /** Forms of one value hold when any of them does, however the values are linked. */
  readonly values: readonly (readonly Value[])[];
  readonly linking: 'any' | 'all';
  readonly negated: boolean;
}
