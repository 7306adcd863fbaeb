// The acknowledgements of one data channel: which request waits for which id, and which ids can still be believed.
//
// Invariant: an id is believed only while it can mean one request alone. Ids of a channel begin at 0 and are in the memory of the
// indexer: when it starts again they begin at 0 again, and "true" for an old number may speak of a new request.
// Surprise: that shows only in an id that was given before. Until all requests that were on their way are answered, a "true" waits;
// and each request without an answer may have got one of the first ids of a new count, so that many of them are in doubt.

export interface AckIds {
  /** A request goes out on this channel; its number, for the others. */
  sent(): number;
  /** It was answered without an id. */
  ended(request: number): void;
  /** It was answered with an id. False when the count has begun again: nothing of this channel can be believed any more. */
  given(request: number, id: number, now: number, settle: (stored: boolean) => void): boolean;
  /** It broke, and the receiver may have taken it. */
  unanswered(request: number): void;
  /** Ids to ask for, lowest first. */
  waiting(): number[];
  readonly count: number;
  /** `ids` were confirmed by an answer that came now. */
  confirmed(ids: readonly number[]): void;
  /** Gives up what was given before `time`; the number of requests. */
  expire(time: number): number;
  /** Gives up everything. */
  drop(): void;
}

interface Waiting {
  readonly at: number;
  readonly settle: (stored: boolean) => void;
}

export function createAckIds(): AckIds {
  const waiting = new Map<number, Waiting>();
  /** Ids that were given: all below `seenBelow`, and these. */
  const seen = new Set<number>();
  let seenBelow = 0;
  let broken = false;
  let unknown = 0;
  let requests = 0;
  const inFlight = new Set<number>();
  /** Confirmations that wait until the requests of their time are over. */
  let held: { readonly ids: readonly number[]; readonly left: Set<number> }[] = [];

  function settle(id: number, stored: boolean): void {
    const entry = waiting.get(id);
    if (entry === undefined) return;
    waiting.delete(id);
    entry.settle(stored);
  }

  function drop(): void {
    held = [];
    for (const id of [...waiting.keys()]) settle(id, false);
  }

  function over(request: number): void {
    inFlight.delete(request);
    for (const { left } of held) left.delete(request);
    const ready = held.filter(({ left }) => left.size === 0);
    held = held.filter(({ left }) => left.size > 0);
    for (const { ids } of ready) for (const id of ids) settle(id, true);
  }

  return {
    sent() {
      inFlight.add(requests);
      return requests++;
    },
    ended: over,
    given(request, id, now, settleRequest) {
      if (broken || id < seenBelow || seen.has(id)) {
        broken = true;
        drop();
        over(request);
        return false;
      }
      seen.add(id);
      while (seen.delete(seenBelow)) seenBelow += 1;
      waiting.set(id, { at: now, settle: settleRequest });
      over(request);
      return true;
    },
    unanswered(request) {
      unknown += 1;
      for (let id = 0; id < unknown; id++) settle(id, false);
      over(request);
    },
    waiting: () => [...waiting.keys()].sort((a, b) => a - b),
    get count() {
      return waiting.size;
    },
    confirmed(ids) {
      if (inFlight.size > 0) held.push({ ids, left: new Set(inFlight) });
      else for (const id of ids) settle(id, true);
    },
    expire(time) {
      const late = [...waiting].filter(([, { at }]) => at <= time);
      for (const [id] of late) settle(id, false);
      return late.length;
    },
    drop,
  };
}
