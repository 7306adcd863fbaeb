// The engine's events about what an action has recorded.
import type { Command, EventEnvelope } from '@tocsin/schemas/types.ts';
import type { EngineEvent } from '../../../ports/incident-store.ts';

export interface EventParts {
  readonly id: string;
  readonly event: string;
  /** Key of the record: what the event is about. */
  readonly subject: string;
  /** Epoch ms. */
  readonly at: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** It has as many hops as its command: rules that act on what they record meet the limit. */
export function recordEvent(command: Command, { id, event, subject, at, data }: EventParts): EngineEvent {
  const envelope: EventEnvelope = {
    id,
    event,
    timestamp: new Date(at).toISOString(),
    ...(command.tenant === undefined ? {} : { tenant: command.tenant }),
    hops: command.hops,
    data: {
      ...data,
      command_id: command.command_id,
      action_id: command.action.id,
      ...(command.rule === undefined
        ? {}
        : {
            rule_id: command.rule.id,
            ...(command.rule.name === undefined ? {} : { rule: command.rule.name }),
          }),
      source_id: command.source.id,
    },
  };
  return { key: subject, value: JSON.stringify(envelope) };
}

/** The moment of the input where it is known, so that a command that is decided again has the same. Epoch ms. */
export function causedAt({ source, created_at }: Command): number {
  return source.timestamp ?? created_at;
}
