// Delivers one slab after the other's pattern: send, judge, and act on the verdict until every event has an outcome.
//
// Invariant: `deliver` resolves true only when each event of the slab was stored by the receiver or is in the dead letters;
// false means that it was given up because its partitions are somebody else's or the runner stopped, and nothing is complete.
// Surprise: refused events stay suspects until the rest of the slab is settled; if the guard trips first they go back to work
// and the sink pauses, so a wrong setting does not dead-letter what a right one would deliver.
import { backoffMs, sinkBackoff } from '../domain/sink/backoff.ts';
import type { BatchVerdict, SinkWire } from '../domain/sink/define-sink.ts';
import type { FaultGuard } from '../domain/sink/fault-guard.ts';
import type { Random } from '../ports/clock.ts';
import type { SinkGate } from './sink-gate.ts';
import type { Letters, Refusal } from './sink-letters.ts';
import { framesOf, type Slab, segmentOf } from './sink-slab.ts';

export interface DeliveryOptions {
  readonly wire: SinkWire;
  readonly send: (body: Buffer, events: number) => Promise<BatchVerdict>;
  readonly letters: Letters;
  readonly guard: FaultGuard;
  readonly gate: SinkGate;
  readonly random: Random;
  /** Sleeps; returns early when the slab may have been abandoned. */
  readonly wait: (ms: number) => Promise<void>;
  /** Nobody needs the slab any more. */
  readonly abandoned: (slab: Slab) => boolean;
  readonly onDelivered: (events: number, bytes: number) => void;
  readonly onDeadLetter: (events: number) => void;
  readonly onSlowDown: (slowDown: boolean) => void;
}

interface Suspect {
  readonly event: number;
  readonly code: string;
  readonly detail: string;
}

type Range = readonly [from: number, to: number];

export async function deliver(slab: Slab, options: DeliveryOptions): Promise<boolean> {
  const { guard, gate, onSlowDown } = options;
  let work: Range[] = [[0, slab.events]];
  let suspects: Suspect[] = [];
  let requests = 0;
  let failures = 0;

  function stored(from: number, to: number): void {
    if (to <= from) return;
    guard.delivered(to - from);
    options.onDelivered(to - from, framesOf(slab, from, to).length);
  }

  /** Returns true when the guard says that the sink is at fault; the suspects are work again then. */
  function suspect(event: number, code: string, detail: string): boolean {
    suspects.push({ event, code, detail });
    if (!guard.fault()) return false;
    guard.rearm();
    work = [...suspects.map(({ event: at }): Range => [at, at + 1]), ...work].sort((a, b) => a[0] - b[0]);
    suspects = [];
    return true;
  }

  while (work.length > 0) {
    if (!(await gate.pass(slab, () => options.abandoned(slab)))) return false;
    const [from, to] = work[0]!;
    const verdict = await options.send(framesOf(slab, from, to), to - from);
    requests += 1;
    let fault: { readonly code: string; readonly detail: string } | null = null;
    if (verdict.class === 'delivered') {
      stored(from, to);
      onSlowDown(verdict.slowDown);
      work = work.slice(1);
    } else if (verdict.class === 'transient') {
      failures += 1;
      const accepted = Math.min(verdict.accepted, to - from - 1);
      stored(from, from + accepted);
      work[0] = [from + accepted, to];
      if (verdict.slowDown) onSlowDown(true);
      await options.wait(backoffMs(failures, options.random(), verdict.afterMs, sinkBackoff));
      if (options.abandoned(slab)) return gate.leave(slab);
      continue;
    } else if (verdict.class === 'sink-fault') {
      fault = verdict;
    } else {
      const rest = work.slice(1);
      const index = verdict.class === 'event-fault' ? verdict.index : null;
      if (index !== null) {
        const event = from + index;
        const prefixStored = verdict.class === 'event-fault' && verdict.prefixStored;
        if (prefixStored) stored(from, event);
        work = [
          ...nonEmpty(
            prefixStored
              ? [[event + 1, to]]
              : [
                  [from, event],
                  [event + 1, to],
                ],
          ),
          ...rest,
        ];
        if (suspect(event, verdict.code, verdict.detail)) fault = tooMany(verdict);
      } else if (to - from > 1) {
        const middle = (from + to) >>> 1;
        work = [[from, middle], [middle, to], ...rest];
      } else {
        work = rest;
        if (suspect(from, verdict.code, verdict.detail)) fault = tooMany(verdict);
      }
    }
    if (fault !== null) {
      if (!(await gate.fault(slab, fault, () => options.abandoned(slab)))) return false;
      continue;
    }
    failures = 0;
    gate.works(slab);
  }
  return settleSuspects(slab, suspects, requests, options);
}

async function settleSuspects(
  slab: Slab,
  suspects: readonly Suspect[],
  attempts: number,
  options: DeliveryOptions,
): Promise<boolean> {
  const refusals = suspects.map(({ event, code, detail }): Refusal => {
    const { batch } = segmentOf(slab, event);
    return { batch, index: slab.records[event]!, stage: 'sink', reason: code, error: detail, attempts };
  });
  if (!(await options.letters.write(refusals, () => options.abandoned(slab)))) return false;
  if (refusals.length > 0) options.onDeadLetter(refusals.length);
  return true;
}

function tooMany(verdict: { readonly code: string; readonly detail: string }): {
  code: string;
  detail: string;
} {
  return { code: 'too_many_event_faults', detail: `too many events refused, last: ${verdict.detail}` };
}

function nonEmpty(ranges: readonly Range[]): Range[] {
  return ranges.filter(([from, to]) => to > from);
}
