// Holds the reader back for moments while many attempts are under way, so that they end before the next begin: thousands side by side
// end no sooner, but what they keep in memory outlives its generation, and collecting it cost a quarter of the worker's time.
//
// Invariant: attempts that take long hold nobody back: after two windows they do not count, and the reader goes on.
// Surprise: it is no limit on attempts under way: `most` of them may begin every two windows, however many hang.
import type { Clock } from '../ports/clock.ts';

export interface IntakePace {
  /** An attempt begins; call what it returns when it has ended. */
  begin(): () => void;
  /** Resolves at once or within two windows, or when one of the signals aborts. */
  wait(...signals: readonly AbortSignal[]): Promise<void>;
}

export interface PaceOptions {
  readonly clock: Clock;
  /** Attempts under way that began in this window or the one before; default 1,024. */
  readonly most?: number;
  /** Default 60 ms: with the default of `most` 8,500 attempts a second may begin even if none ends. */
  readonly windowMs?: number;
}

interface Window {
  readonly number: number;
  open: number;
}

export function createIntakePace({ clock, most = 1_024, windowMs = 60 }: PaceOptions): IntakePace {
  let now: Window = { number: 0, open: 0 };
  let before: Window = { number: -1, open: 0 };
  let waiting: (() => void)[] = [];

  function turn(): void {
    const number = Math.floor(clock.now() / windowMs);
    if (number === now.number) return;
    before = number === now.number + 1 ? now : { number: number - 1, open: 0 };
    now = { number, open: 0 };
  }

  const isFull = (): boolean => {
    turn();
    return now.open + before.open >= most;
  };

  function wake(): void {
    const resumed = waiting;
    waiting = [];
    for (const resume of resumed) resume();
  }

  return {
    begin() {
      turn();
      const mine = now;
      mine.open += 1;
      return () => {
        mine.open -= 1;
        if (waiting.length > 0 && now.open + before.open < most) wake();
      };
    },
    async wait(...signals) {
      if (!isFull()) return;
      const ended = AbortSignal.any([...signals]);
      while (!ended.aborted && isFull()) {
        const over = new AbortController();
        const left = (now.number + 1) * windowMs - clock.now();
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          clock
            .sleep(Math.max(1, left), AbortSignal.any([ended, over.signal]))
            .then(resolve, () => resolve());
        });
        over.abort();
      }
    },
  };
}
