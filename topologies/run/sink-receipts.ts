// Slabs that were taken and are not proved yet: only their offsets are kept, until the receipts are there.
//
// Invariant: the offsets of a slab complete when all its receipts are true; when one is false its offsets are lost and read again.
// Surprise: losses in a row come further and further apart, or a receiver that takes everything and proves nothing would be sent
// the same again and again.
import { type BackoffLimits, backoffMs } from '../domain/sink/backoff.ts';
import type { Receipt } from '../domain/sink/define-sink.ts';
import type { Random } from '../ports/clock.ts';
import type { TopicPartition } from '../ports/log.ts';
import type { TrackedAssignment } from './sink-offsets.ts';
import type { Slab } from './sink-slab.ts';

export interface HeldSlabs {
  /** Keeps the offsets of the slab, which may be used again at once. */
  hold(slab: Slab, receipts: readonly Receipt[]): void;
  covers(assignment: TrackedAssignment): boolean;
  /** Events without their receipts. */
  events(): number;
  /** Timestamp of the oldest of them, epoch ms; Infinity without one. */
  oldest(): number;
}

interface Held {
  readonly events: number;
  readonly oldest: number;
  readonly parts: readonly {
    readonly assignment: TrackedAssignment;
    readonly from: number;
    readonly to: number;
  }[];
}

const lostInRow: BackoffLimits = { initialMs: 1_000, maxMs: 300_000 };

export function createHeldSlabs(options: {
  readonly wait: (ms: number) => Promise<void>;
  readonly random: Random;
  readonly gone: (assignment: TrackedAssignment) => boolean;
  /** Reads the partition again from `offset`. */
  readonly reread: (tp: TopicPartition, offset: number) => void;
  readonly onLost: (events: number) => void;
  /** One slab less is held. */
  readonly onSettled: () => void;
}): HeldSlabs {
  const { wait, random, gone, reread, onLost, onSettled } = options;
  const held = new Set<Held>();
  const losers = new Set<TrackedAssignment>();
  let failures = 0;
  let rereading = false;

  async function rereadLosers(): Promise<void> {
    if (rereading) return;
    rereading = true;
    failures += 1;
    // Losses come together; one look back for all of them.
    await wait(backoffMs(failures, 0.5 + random() / 2, null, lostInRow));
    rereading = false;
    for (const assignment of losers) {
      const from = gone(assignment) ? null : assignment.rereadFrom();
      if (from !== null) reread(assignment, from);
    }
    losers.clear();
  }

  return {
    hold(slab, receipts) {
      const entry: Held = {
        events: slab.events,
        oldest: slab.oldest,
        parts: slab.segments.map(({ assignment, firstOffset, nextOffset }) => ({
          assignment,
          from: firstOffset,
          to: nextOffset,
        })),
      };
      held.add(entry);
      void Promise.all(receipts).then((proofs) => {
        held.delete(entry);
        const isStored = proofs.every((proof) => proof);
        if (isStored) failures = 0;
        for (const { assignment, from, to } of entry.parts) {
          if (isStored) assignment.complete(from, to);
          else if (!gone(assignment)) {
            assignment.lose(from, to);
            losers.add(assignment);
          }
        }
        if (entry.parts.some(({ assignment }) => losers.has(assignment))) {
          onLost(entry.events);
          void rereadLosers();
        }
        onSettled();
      });
    },
    covers: (assignment) =>
      [...held].some(({ parts }) => parts.some((part) => part.assignment === assignment)),
    events: () => [...held].reduce((sum, { events }) => sum + events, 0),
    oldest: () => [...held].reduce((least, { oldest }) => Math.min(least, oldest), Number.POSITIVE_INFINITY),
  };
}
