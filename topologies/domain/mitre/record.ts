// A record of techniques that an input was a trigger of.
import type { Json } from '../action/outcome.ts';

export const mitreSeverities = ['low', 'medium', 'high'] as const;
export type MitreSeverity = (typeof mitreSeverities)[number];

export interface MitreRecord {
  readonly command_id: string;
  readonly tenant: string | null;
  readonly name: string;
  readonly rule_id: string | null;
  readonly rule: string | null;
  /** One information system. */
  readonly layer: string;
  readonly techniques: readonly string[];
  readonly tactics: readonly string[];
  readonly severity: MitreSeverity;
  /** As the event or row said it; null when it said nothing. */
  readonly original_severity: string | null;
  readonly index: string;
  /** Of the event, or of the run. */
  readonly source_id: string;
  readonly event_id: string | null;
  readonly run_id: string | null;
  readonly row_index: number | null;
  readonly incident_id: string | null;
  readonly fields: Readonly<Record<string, Json>>;
  /** Epoch ms. */
  readonly at: number;
}

export const layerPattern = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$';
