// An incident as the action makes it: a plain JSON value, everything rendered.
import type { Json } from '../action/outcome.ts';
import type { FieldDefinitions } from './fields.ts';
import type { Workflow } from './workflow.ts';

/** Epoch ms. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

export type Drilldown =
  | { readonly type: 'search'; readonly text: string; readonly time_from: string; readonly time_to: string }
  | { readonly type: 'link'; readonly url: string };

/** An object of an inventory: how it is found there, and what the event knew of it. Nothing here looks it up. */
export interface InventoryLink {
  readonly object_type: string;
  readonly match: Readonly<Record<string, string>>;
  readonly copied: Readonly<Record<string, Json>>;
}

export interface NewIncident {
  readonly id: string;
  readonly command_id: string;
  readonly tenant: string | null;
  /** One line. */
  readonly title: string;
  /** One of `severities`. */
  readonly severity: string;
  readonly severities: readonly string[];
  readonly status: string;
  readonly workflow: Workflow;
  readonly assignee: string | null;
  /** GitHub Flavored Markdown as it was written; whoever shows it as HTML sanitises it. */
  readonly description: string;
  readonly drilldown: Drilldown | null;
  readonly index_suffix: string | null;
  readonly field_definitions: FieldDefinitions;
  readonly fields: Readonly<Record<string, Json>>;
  readonly additional_fields: Readonly<Record<string, Json>>;
  readonly inventory: InventoryLink | null;
  /** Rows that led to it; `total` counts also those that are not kept. */
  readonly evidence: { readonly rows: readonly Readonly<Record<string, unknown>>[]; readonly total: number };
  readonly rule: { readonly id: string; readonly name?: string } | null;
  readonly action: { readonly id: string; readonly name?: string };
  readonly source: { readonly id: string; readonly kind: string };
  readonly warnings: readonly string[];
  /** Epoch ms of the command. */
  readonly created_at: number;
}

/** The id of the incident that a command makes: whoever knows the command knows it, before it is there. */
export function incidentIdOf(commandId: string): string {
  return `inc-${commandId}`;
}

export const incidentIdPattern = /^inc-[0-9a-f]{32}$/;
