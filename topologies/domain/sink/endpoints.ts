// Which of several hosts of one destination takes the next request: in turn, past those that are down.
//
// Invariant: while one host is up, none that is down is sent an event; it comes back when it has answered a question without one.
// Surprise: with all of them down requests go out all the same, to the one that is due first; the runner waits between them.
import { backoffMs } from './backoff.ts';

export interface Endpoints {
  /** Index of the host for the next request. */
  pick(): number;
  /** A request to it was taken, or failed in a way that is the host's own. True when that is news. */
  report(index: number, up: boolean, now: number, uniform: number): boolean;
  /** A host that is down and may be asked again; it counts as being asked until it is reported. */
  due(now: number): number | null;
  anyUp(): boolean;
}

interface Host {
  up: boolean;
  failures: number;
  until: number;
  asked: boolean;
}

const downBackoff = { initialMs: 1_000, maxMs: 30_000 };

export function createEndpoints(count: number): Endpoints {
  const hosts = Array.from(
    { length: count },
    (): Host => ({ up: true, failures: 0, until: 0, asked: false }),
  );
  let turn = 0;

  return {
    pick() {
      for (let k = 0; k < count; k++) {
        const index = (turn + k) % count;
        if (!hosts[index]!.up) continue;
        turn = (index + 1) % count;
        return index;
      }
      let first = 0;
      hosts.forEach(({ until }, index) => {
        if (until < hosts[first]!.until) first = index;
      });
      return first;
    },
    report(index, up, now, uniform) {
      const host = hosts[index]!;
      const isNews = host.up !== up;
      host.asked = false;
      host.up = up;
      host.failures = up ? 0 : host.failures + 1;
      host.until = up ? 0 : now + backoffMs(host.failures, 0.5 + uniform / 2, null, downBackoff);
      return isNews;
    },
    due(now) {
      const index = hosts.findIndex(({ up, asked, until }) => !up && !asked && until <= now);
      if (index < 0) return null;
      hosts[index]!.asked = true;
      return index;
    },
    anyUp: () => hosts.some(({ up }) => up),
  };
}
