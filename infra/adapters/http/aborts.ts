// Callers of one signal share one listener: an EventTarget walks all its listeners for each that is added, and the signal of a
// service is given to thousands of requests at a time.
// Invariant: a signal that nobody waits for has no listener, because one keeps composite signals (AbortSignal.any) alive.
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `then` once when the signal aborts; returns what takes it back. The signal must not be aborted yet. */
export function onAbort(signal: AbortSignal, then: () => void): () => void {
  let all = waiting.get(signal);
  if (all === undefined) {
    const added = new Set<() => void>();
    all = added;
    waiting.set(signal, added);
    signal.addEventListener('abort', callAll, { once: true });
  }
  const mine = all;
  mine.add(then);
  return () => {
    if (!mine.delete(then) || mine.size > 0 || waiting.get(signal) !== mine) return;
    waiting.delete(signal);
    signal.removeEventListener('abort', callAll);
  };
}

function callAll(this: AbortSignal): void {
  const all = waiting.get(this);
  waiting.delete(this);
  for (const then of all ?? []) then();
}
