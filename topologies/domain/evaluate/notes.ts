// What is worth counting about an event although it changes no outcome.
//
// Invariant: values stay as they came; a note never corrects one.
import type { EventEnvelope } from '@tocsin/schemas/types.ts';
import { aliasPaths } from '../rules/parse-alias.ts';
import { elementsAt, type Subject } from '../rules/path.ts';
import { severityRank } from '../rules/severity.ts';
import type { Note } from './refusal.ts';

/** Further apart than this, the clock of the producer and that of the log disagree, ms. Late deliveries stay below it. */
export const clockSkewMs = 86_400_000;

const severityPaths = aliasPaths('severity', 'events') ?? [];
const cvssPaths = [{ root: 'fields' as const, segments: ['data', 'cvss'] }];

/** Notes about one event; `recordTimestamp` is the record's, epoch ms, negative without one. */
export function eventNotes(event: EventEnvelope, recordTimestamp: number): Note[] {
  const subject: Subject = { source: 'events', fields: event, search: null };
  const notes: Note[] = [];
  const severities = elementsAt(subject, severityPaths)?.filter((element) => element !== null) ?? [];
  if (severities.some((element) => severityRank(element) === undefined))
    notes.push({ reason: 'unknown_severity' });
  const scores = elementsAt(subject, cvssPaths)?.filter((element) => element !== null) ?? [];
  if (!scores.every(isScore)) notes.push({ reason: 'invalid_cvss' });
  if (event.timestamp !== undefined && isSkewed(event.timestamp, recordTimestamp))
    notes.push({ reason: 'clock_skew' });
  return notes;
}

/** A base score of CVSS, 0 to 10 (specification, section 5: qualitative severity rating scale). */
function isScore(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 10;
}

/** Whether an event's time cannot be read or lies more than a day from the time of its record. */
export function isSkewed(timestamp: string, recordTimestamp: number): boolean {
  const at = Date.parse(timestamp);
  if (Number.isNaN(at)) return true;
  return recordTimestamp >= 0 && Math.abs(at - recordTimestamp) > clockSkewMs;
}
