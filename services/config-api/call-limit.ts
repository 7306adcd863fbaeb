// At most five calls a minute for one thing: tests reach out to systems of others.
import { ApiError } from './errors.ts';

const callsPerMinute = 5;

/** Counts a call for `id` at `now` (epoch ms). Throws 429 for the sixth within a minute; that one does not count. */
export type CallLimit = (id: string, now: number) => void;

export function createCallLimit(): CallLimit {
  const recent = new Map<string, number[]>();
  return (id, now) => {
    for (const [known, times] of recent) if ((times.at(-1) ?? 0) <= now - 60_000) recent.delete(known);
    const times = (recent.get(id) ?? []).filter((time) => time > now - 60_000);
    if (times.length >= callsPerMinute)
      throw new ApiError(429, 'rate_limited', `more than ${callsPerMinute} tests a minute`, {
        headers: { 'retry-after': String(Math.max(1, Math.ceil((times[0]! + 60_000 - now) / 1000))) },
      });
    recent.set(id, [...times, now]);
  };
}

/** Asks every 100 ms until there is an answer; null when there is none by `until` (epoch ms). */
export async function awaitAnswer<T>(ask: () => Promise<T | null>, until: number): Promise<T | null> {
  for (;;) {
    const found = await ask();
    if (found !== null || Date.now() >= until) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
