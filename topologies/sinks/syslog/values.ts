// What a message needs to know of an event, read from the bytes of its record.
import { elementsAt } from '../../domain/rules/path.ts';
import type { Origins } from '../../domain/sink/define-sink.ts';
import { epochMsOf } from '../../domain/sink/event-time.ts';
import type { Marks } from '../../domain/sink/splice-check.ts';
import { elementsText } from './kinds.ts';
import { eventSlot, type Layout, severitySlot } from './layout.ts';
import { rankOf, type Values } from './message.ts';

/** The event's own time, or its record's, epoch ms; NaN without either. */
export function timeOf(source: Buffer, marks: Marks, batch: Origins, record: number): number {
  if (marks.timeStart >= 0) {
    const own = epochMsOf(source, marks.timeStart + 1, marks.timeEnd - 1);
    if (!Number.isNaN(own)) return own;
  }
  const stamped = batch.timestamp(record);
  return stamped >= 0 ? stamped : Number.NaN;
}

export function positionOf(batch: Origins, record: number): string {
  return `${batch.topic}/${batch.partition}/${batch.offset(record)}`;
}

/** The values of `source[start, end)`, which is one JSON object, by parsing it. */
export function parsedValues(
  source: Buffer,
  start: number,
  end: number,
  layout: Layout,
  known: { readonly ms: number; readonly position: string },
): Values {
  const fields = JSON.parse(source.toString('utf8', start, end)) as Record<string, unknown>;
  const subject = { source: 'events', fields, search: null } as const;
  const at = (slot: number): string | null =>
    elementsText(elementsAt(subject, [{ root: 'fields', segments: layout.paths[slot]! }]));
  return {
    ...known,
    type: at(eventSlot) ?? '',
    rank: rankOf(at(severitySlot)),
    at,
    event() {
      const out = Buffer.alloc(end - start);
      return out.toString('utf8', 0, copyEvent(source, start, end, out, 0));
    },
  };
}

/** Copies JSON so that it is one line: control characters can stand between its tokens only. Returns the position after it. */
export function copyEvent(source: Buffer, start: number, end: number, target: Buffer, from: number): number {
  let at = from;
  for (let k = start; k < end; k++) {
    const c = source[k]!;
    target[at++] = c < 0x20 ? 0x20 : c;
  }
  return at;
}
