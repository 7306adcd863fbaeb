// Pending timers in memory: a binary heap over typed arrays, so that a million of them cost little and none is an object.
//
// Invariant: `place[heap[i]] === i` for every pending slot; a token has one slot at most. Order is (due, token), so that the same
// timers come out in the same order whatever the order they went in.
//
// Surprise: tokens are compared as they are, never by a hash alone: a collision would lose a timer in silence.

export interface PendingTimer {
  readonly token: string;
  /** Epoch ms. */
  readonly due: number;
  /** As it was given. */
  readonly body: string;
}

export interface TimerHeap {
  readonly size: number;
  /** Due time of the first timer, epoch ms; null when none is pending. */
  nextDue(): number | null;
  /** Sets a timer; one that is pending under this token moves and takes the new body. `due` must be finite. */
  set(token: string, due: number, body: string): void;
  /** Moves a timer that is pending under this token; false when none is. */
  move(token: string, due: number): boolean;
  has(token: string): boolean;
  /** undefined when none is pending. */
  body(token: string): string | undefined;
  /** Calls `visit` for every pending timer, in no order. */
  each(visit: (timer: PendingTimer) => void): void;
  /** Characters of the bodies and tokens that are pending. */
  readonly chars: number;
  /** Whether one was pending. */
  cancel(token: string): boolean;
  /** Takes out, in order, at most `max` timers with due <= now. */
  take(now: number, max: number): PendingTimer[];
}

const initialSlots = 64;

export function createTimerHeap(): TimerHeap {
  let due = new Float64Array(initialSlots);
  /** Slots, in heap order. */
  let heap = new Uint32Array(initialSlots);
  /** By slot: its index in `heap`. */
  let place = new Uint32Array(initialSlots);
  const tokens: string[] = [];
  const bodies: string[] = [];
  const free: number[] = [];
  const slots = new Map<string, number>();
  let size = 0;
  let chars = 0;

  const isBefore = (a: number, b: number): boolean =>
    due[a]! < due[b]! || (due[a] === due[b] && tokens[a]! < tokens[b]!);

  function put(index: number, slot: number): void {
    heap[index] = slot;
    place[slot] = index;
  }

  function up(start: number): number {
    const slot = heap[start]!;
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(slot, heap[parent]!)) break;
      put(index, heap[parent]!);
      index = parent;
    }
    put(index, slot);
    return index;
  }

  function down(start: number): void {
    const slot = heap[start]!;
    let index = start;
    for (let child = 2 * index + 1; child < size; child = 2 * index + 1) {
      if (child + 1 < size && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, slot)) break;
      put(index, heap[child]!);
      index = child;
    }
    put(index, slot);
  }

  function newSlot(): number {
    const reused = free.pop();
    if (reused !== undefined) return reused;
    const slot = tokens.length;
    if (slot === due.length) {
      due = grown(due, new Float64Array(slot * 2));
      heap = grown(heap, new Uint32Array(slot * 2));
      place = grown(place, new Uint32Array(slot * 2));
    }
    return slot;
  }

  function remove(slot: number): void {
    const index = place[slot]!;
    size -= 1;
    if (index < size) {
      put(index, heap[size]!);
      down(up(index));
    }
    slots.delete(tokens[slot]!);
    chars -= tokens[slot]!.length + bodies[slot]!.length;
    // The texts go now; the slot waits for the next timer.
    tokens[slot] = '';
    bodies[slot] = '';
    free.push(slot);
  }

  return {
    get size() {
      return size;
    },
    nextDue: () => (size === 0 ? null : due[heap[0]!]!),
    set(token, at, body) {
      if (!Number.isFinite(at)) throw new TypeError(`timer ${token}: due must be a finite number`);
      const held = slots.get(token);
      if (held !== undefined) {
        due[held] = at;
        chars += body.length - bodies[held]!.length;
        bodies[held] = body;
        down(up(place[held]!));
        return;
      }
      const slot = newSlot();
      due[slot] = at;
      tokens[slot] = token;
      bodies[slot] = body;
      chars += token.length + body.length;
      slots.set(token, slot);
      put(size, slot);
      size += 1;
      up(size - 1);
    },
    move(token, at) {
      const slot = slots.get(token);
      if (slot === undefined) return false;
      due[slot] = at;
      down(up(place[slot]!));
      return true;
    },
    has: (token) => slots.has(token),
    body(token) {
      const slot = slots.get(token);
      return slot === undefined ? undefined : bodies[slot];
    },
    each(visit) {
      for (const [token, slot] of slots) visit({ token, due: due[slot]!, body: bodies[slot]! });
    },
    get chars() {
      return chars;
    },
    cancel(token) {
      const slot = slots.get(token);
      if (slot !== undefined) remove(slot);
      return slot !== undefined;
    },
    take(now, max) {
      const taken: PendingTimer[] = [];
      while (size > 0 && taken.length < max) {
        const slot = heap[0]!;
        if (due[slot]! > now) break;
        taken.push({ token: tokens[slot]!, due: due[slot]!, body: bodies[slot]! });
        remove(slot);
      }
      return taken;
    },
  };
}

function grown<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
