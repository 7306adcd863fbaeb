// What a playbook waits for: event types, and the paths in their events where a wait looks.
import type { Playbook } from '@tocsin/schemas/types.ts';
import { outlineOf } from './outline.ts';

/** Where a wait looks that says nothing. */
export const defaultWaitPath = 'data.correlation_id';

export interface EventWait {
  readonly event: string;
  /** Path in the event, names joined by dots. */
  readonly at: string;
}

/** Each pair once, in the order of the document, which fits its schema. */
export function waitsOf(document: Playbook): EventWait[] {
  const waits = new Map<string, EventWait>();
  for (const { step } of outlineOf(document).steps.values()) {
    if (step.waitFor === undefined) continue;
    const { event, at = defaultWaitPath } = step.waitFor;
    for (const type of typeof event === 'string' ? [event] : event)
      waits.set(JSON.stringify([type, at]), { event: type, at });
  }
  return [...waits.values()];
}
