// Delivers one slab after the other's pattern: send, judge, and act on the verdict until every event has an outcome.
//
// Invariant: `deliver` resolves with the receipts only when each event of the slab was taken by the receiver or is in the dead
// letters; once all receipts are true they are stored. Null means that it was given up because its partitions are somebody else's or the runner stopped, and nothing is complete.
// Surprise: refused events stay suspects until the rest of the slab is settled; if the guard trips first they go back to work
// and the sink pauses, so a wrong setting does not dead-letter what a right one would deliver.
import { backoffMs, sinkBackoff } from '../domain/sink/backoff.ts';
import type { BatchVerdict, EventVerdict, Receipt, SinkWire } from '../domain/sink/define-sink.ts';
import type { FaultGuard } from '../domain/sink/fault-guard.ts';
import type { Random } from '../ports/clock.ts';
import type { SinkFault, SinkGate } from './sink-gate.ts';
import type { Letters, Refusal } from './sink-letters.ts';
import { bodyOf, bytesOf, countOf, cut, eventAt, eventsOf, type Range, rangesOf } from './sink-ranges.ts';
import { type Slab, segmentOf } from './sink-slab.ts';

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
}

interface Suspect {
  readonly event: number;
  readonly code: string;
  readonly detail: string;
}

/** What to do before the next request; null: send it at once. */
type Next =
  | { readonly fault: SinkFault }
  | { readonly waitFrom: number | null; readonly progress: boolean }
  | null;

export async function deliver(slab: Slab, options: DeliveryOptions): Promise<readonly Receipt[] | null> {
  const { guard, gate } = options;
  const receipts: Receipt[] = [];
  /** One entry per request to come. */
  let work: Range[][] = [[[0, slab.events]]];
  let suspects: Suspect[] = [];
  let requests = 0;
  let failures = 0;

  function stored(ranges: readonly Range[]): void {
    const events = countOf(ranges);
    if (events === 0) return;
    guard.delivered(events);
    options.onDelivered(events, bytesOf(slab, ranges));
  }

  function putBack(...requestsFirst: Range[][]): void {
    work = [...requestsFirst.filter((ranges) => ranges.length > 0), ...work];
  }

  /** Notes a refused event. Gives the fault when the guard says that it is the sink's; the suspects are work again then. */
  function suspect(event: number, { code, detail }: EventVerdict): SinkFault | null {
    suspects.push({ event, code, detail });
    if (!guard.fault()) return null;
    guard.rearm();
    putBack(rangesOf(suspects.map(({ event: at }) => at).sort((a, b) => a - b)));
    suspects = [];
    return { code: 'too_many_event_faults', detail: `too many events refused, last: ${detail}` };
  }

  /** Each event by its own outcome; those not listed were stored. */
  function settleEach(sent: readonly Range[], verdicts: readonly EventVerdict[]): Next {
    const events = eventsOf(sent);
    const again: number[] = [];
    let fault: SinkFault | null = null;
    let progress = false;
    let at = 0;
    for (const verdict of verdicts) {
      const { index } = verdict;
      stored(rangesOf(events.slice(at, index)));
      progress ||= index > at || verdict.class === 'event-fault';
      at = index + 1;
      if (verdict.class === 'event-fault' && fault === null) fault = suspect(events[index]!, verdict);
      else again.push(events[index]!);
      if (verdict.class === 'sink-fault') fault ??= { code: verdict.code, detail: verdict.detail };
    }
    stored(rangesOf(events.slice(at)));
    progress ||= at < events.length;
    putBack(rangesOf(again));
    if (fault !== null) return { fault };
    return again.length > 0 ? { waitFrom: null, progress } : null;
  }

  function act(verdict: BatchVerdict, sent: readonly Range[]): Next {
    const count = countOf(sent);
    switch (verdict.class) {
      case 'delivered':
        stored(sent);
        return null;
      case 'per-event':
        return settleEach(sent, verdict.events);
      case 'transient': {
        const accepted = Math.min(verdict.accepted, count - 1);
        stored(cut(sent, 0, accepted));
        putBack(cut(sent, accepted, count));
        return { waitFrom: verdict.afterMs, progress: false };
      }
      case 'sink-fault':
        putBack([...sent]);
        return { fault: verdict };
      default: {
        const index = verdict.class === 'event-fault' ? verdict.index : null;
        let fault: SinkFault | null = null;
        if (index !== null) {
          const before = cut(sent, 0, index);
          const prefixStored = verdict.class === 'event-fault' && verdict.prefixStored;
          if (prefixStored) stored(before);
          putBack(prefixStored ? [] : before, cut(sent, index + 1, count));
          fault = suspect(eventAt(sent, index), { ...verdict, class: 'event-fault', index });
        } else if (count > 1) {
          const middle = (count + 1) >>> 1;
          putBack(cut(sent, 0, middle), cut(sent, middle, count));
        } else fault = suspect(eventAt(sent, 0), { ...verdict, class: 'event-fault', index: 0 });
        return fault === null ? null : { fault };
      }
    }
  }

  while (work.length > 0) {
    if (!(await gate.pass(slab, () => options.abandoned(slab)))) return null;
    const sent = work[0]!;
    const verdict = await options.send(bodyOf(slab, sent), countOf(sent));
    requests += 1;
    if ('receipt' in verdict && verdict.receipt !== undefined) receipts.push(verdict.receipt);
    work = work.slice(1);
    const next = act(verdict, sent);
    if (next !== null && 'fault' in next) {
      if (!(await gate.fault(slab, next.fault, () => options.abandoned(slab)))) return null;
      continue;
    }
    if (next === null || next.progress) {
      failures = 0;
      gate.works(slab);
    }
    if (next !== null) {
      failures += 1;
      await options.wait(backoffMs(failures, options.random(), next.waitFrom, sinkBackoff));
      if (options.abandoned(slab)) {
        gate.leave(slab);
        return null;
      }
    }
  }
  return (await settleSuspects(slab, suspects, requests, options)) ? receipts : null;
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
