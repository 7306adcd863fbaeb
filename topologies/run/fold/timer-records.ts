// Timers as records: the pending timer in the compacted topic, its removal, and the input that it becomes.
//
// Invariant: the record key names the input topic and the token, so that timers of several topics share one partition.
// Surprise: the partition is always given. It is the partition of the input topic that the timer fires into, whatever its key.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import type { OutRecord, RecordBatch } from '../../ports/log.ts';
import type { FoldEffect } from './fold.ts';
import type { PendingTimer } from './timer-heap.ts';

/** Where timers are kept and where they fire: names of topics, and the partition that both share. */
export interface TimerPlace {
  readonly topic: string;
  readonly input: string;
  readonly partition: number;
}

type TimerEffect = Extract<FoldEffect, { kind: 'timer' }>;

/** What a timer holds beside its token and its time, as text: input key and payload. */
export function bodyOf(key: string, payload: TimerEffect['payload']): string {
  return JSON.stringify(payload === undefined ? [key] : [key, payload]);
}

/** The payload in a body; empty when it has none. */
export function payloadOf(body: string): Readonly<Record<string, unknown>> {
  const [, payload = {}] = JSON.parse(body) as [string, Record<string, unknown>?];
  return payload;
}

/** Value `{due, topic, key, payload?}`. */
export function pendingRecord(
  place: TimerPlace,
  key: string,
  { token, due, payload }: TimerEffect,
): OutRecord {
  const { topic, input, partition } = place;
  const value = JSON.stringify({ due, topic: input, key, ...(payload === undefined ? {} : { payload }) });
  return { topic, key: `${input}/${token}`, partition, value };
}

/** Cancelled or fired. */
export function removalRecord({ topic, input, partition }: TimerPlace, token: string): OutRecord {
  return { topic, key: `${input}/${token}`, partition, value: null };
}

/** The input `{...payload, kind: 'timer', token, due, fired_at}`, times in epoch ms. */
export function firedRecord(
  { input, partition }: TimerPlace,
  timer: PendingTimer,
  firedAt: number,
): OutRecord {
  const [key, payload] = JSON.parse(timer.body) as [string, Record<string, unknown>?];
  const { token, due } = timer;
  const value = JSON.stringify({ ...payload, kind: 'timer', token, due, fired_at: firedAt });
  return { topic: input, key, partition, value };
}

/** null: a timer of another input topic. */
export type TimerRead =
  | { readonly token: string; readonly timer: PendingTimer | null }
  | { readonly problem: string }
  | null;

/** One record of the timer topic. */
export function readTimer(place: TimerPlace, batch: RecordBatch, index: number): TimerRead {
  const recordKey = batch.key(index);
  const slash = recordKey?.indexOf('/') ?? -1;
  if (recordKey === null || recordKey.toString('utf8', 0, slash) !== place.input) return null;
  // Decoded by itself: a part of a longer string would keep the whole of it in memory.
  const token = recordKey.toString('utf8', slash + 1);
  const bytes = batch.value(index);
  if (bytes === null) return { token, timer: null };
  const parsed = parseJson(bytes);
  if (!parsed.ok) return { problem: `${parsed.reason} ${parsed.detail}` };
  const value = parsed.value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { problem: 'no object' };
  const { due, key: inputKey, payload } = value as Record<string, unknown>;
  if (typeof due !== 'number') return { problem: 'due is no number' };
  if (typeof inputKey !== 'string') return { problem: 'key is no string' };
  if (payload !== undefined && (typeof payload !== 'object' || payload === null || Array.isArray(payload)))
    return { problem: 'payload is no object' };
  const body = bodyOf(inputKey, payload as TimerEffect['payload']);
  return { token, timer: { token, due, body } };
}
