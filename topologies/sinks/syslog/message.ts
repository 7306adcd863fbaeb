// One message as text from an event that was parsed: for events that the scan leaves to the parser, and for messages that are too long.
import { severityRank } from '../../domain/rules/severity.ts';
import { type Cut, cutMessage, type Piece, place } from './cut.ts';
import { fittingText } from './kinds.ts';
import type { Layout } from './layout.ts';
import { type FieldPart, fromPosition, fromTime, severityNumbers } from './parts.ts';

/** What a message needs to know of an event. */
export interface Values {
  /** Event type; empty without one. */
  readonly type: string;
  /** Rank of the severity; -1 without one. */
  readonly rank: number;
  /** Epoch ms; NaN when unknown. */
  readonly ms: number;
  readonly position: string;
  /** Text at the path of a slot; null without a value. */
  readonly at: (slot: number) => string | null;
  /** The event itself as it goes out. */
  readonly event: () => string;
}

/** Rank of a severity in words; -1 when it is none. */
export function rankOf(text: string | null): number {
  return severityRank(text) ?? -1;
}

/** The message, at most `maxBytes` of it. */
export function messageText(layout: Layout, values: Values, maxBytes: number): Cut {
  const pieces: Piece[] = [];
  let separator = false;
  for (const part of layout.parts) {
    if (part.type !== 'field') {
      separator = false;
      const text =
        part.type === 'literal'
          ? part.text
          : part.type === 'by-severity'
            ? part.texts.at(values.rank)!
            : part.type === 'time'
              ? part.write(values.ms)
              : part.type === 'event-type'
                ? part.write(values.type)
                : values.event();
      pieces.push({ text, field: null });
      continue;
    }
    const raw = rawText(part, values);
    if (raw === null) continue;
    const lead = separator ? part.separator : '';
    pieces.push({
      text: lead + place(part, part.encode(raw, part.max)),
      field: { part, raw, separator: lead },
    });
    separator = true;
  }
  return cutMessage(pieces, maxBytes, layout.cutMark);
}

function rawText(part: FieldPart, values: Values): string | null {
  for (const slot of part.slots) {
    const fitting = fittingText(part.kind, sourceText(slot, values) ?? '', part.max);
    if (fitting !== null) return fitting;
  }
  return part.otherwise?.(values.type) ?? null;
}

function sourceText(slot: number, values: Values): string | null {
  if (slot >= 0) return values.at(slot);
  if (slot === fromTime) return Number.isNaN(values.ms) ? null : String(values.ms);
  if (slot === fromPosition) return values.position;
  return values.rank < 0 ? null : severityNumbers[values.rank]!;
}
