// The acknowledgements of an indexer: ids per channel from 0, in its memory only, and each "true" given once.
// Invariant: an event is indexed (and its id true) only after `indexAfterMs`; a restart forgets ids and, when told so, what was not
// indexed yet. Sources: Splunk docs "About HTTP Event Collector Indexer Acknowledgment"; Vector RFC 2021-10-29-9465.
import type { HecEvent } from './hec-parser.ts';

export interface HecAcks {
  /** Takes events that will be indexed; the ackId. */
  take(channel: string, events: readonly HecEvent[]): number;
  /** The answer to a question for ids. */
  ask(channel: string, ids: readonly unknown[]): { acks: Record<string, boolean> };
  /** The indexer starts again: all ids are forgotten; with `lose` also what waits to be indexed. */
  restart(options?: { lose?: boolean }): void;
  /** Nothing is indexed until it is false again. */
  hold(held: boolean): void;
  /** Ids that were ever given, over all channels and restarts. */
  given(): number;
  close(): void;
}

interface Pending {
  readonly events: readonly HecEvent[];
  readonly done: () => void;
  lost: boolean;
}

export function createHecAcks(indexAfterMs: number, index: (events: readonly HecEvent[]) => void): HecAcks {
  let channels = new Map<string, { next: number; readonly states: Map<number, boolean> }>();
  const pending = new Set<Pending>();
  const timers = new Set<NodeJS.Timeout>();
  let isHeld = false;
  let given = 0;

  function finish(entry: Pending): void {
    if (entry.lost || !pending.delete(entry)) return;
    index(entry.events);
    entry.done();
  }

  function later(entry: Pending): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!isHeld) finish(entry);
    }, indexAfterMs);
    timers.add(timer);
  }

  return {
    take(channel, events) {
      let state = channels.get(channel);
      if (state === undefined) {
        state = { next: 0, states: new Map() };
        channels.set(channel, state);
      }
      const id = state.next++;
      given += 1;
      const { states } = state;
      states.set(id, false);
      const entry = { events, lost: false, done: () => void states.set(id, true) };
      pending.add(entry);
      later(entry);
      return id;
    },
    ask(channel, ids) {
      const states = channels.get(channel)?.states;
      const acks: Record<string, boolean> = {};
      for (const id of ids) {
        const isStored = states?.get(Number(id)) === true;
        acks[String(id)] = isStored;
        if (isStored) states?.delete(Number(id));
      }
      return { acks };
    },
    restart({ lose = false } = {}) {
      channels = new Map();
      if (!lose) return;
      for (const entry of pending) entry.lost = true;
      pending.clear();
    },
    hold(held) {
      isHeld = held;
      if (!held) for (const entry of [...pending]) finish(entry);
    },
    given: () => given,
    close() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
