// Counts the bytes of commands that were taken and are not finished, and holds the reader back when they are too many.
//
// Invariant: every command that was taken is given back exactly once, whatever became of it.
export interface CommandRoom {
  take(bytes: number): void;
  giveBack(bytes: number): void;
  /** Resolves when there is room again, or when one of the signals aborts. */
  wait(...signals: readonly AbortSignal[]): Promise<void>;
  /** Bytes taken and not given back. */
  readonly taken: number;
}

export function createCommandRoom(maxBytes: number): CommandRoom {
  let taken = 0;
  let waiting: (() => void)[] = [];
  return {
    take(bytes) {
      taken += bytes;
    },
    giveBack(bytes) {
      taken -= bytes;
      const resumed = waiting;
      waiting = [];
      for (const resume of resumed) resume();
    },
    async wait(...signals) {
      // Signals that are joined cost more than a command does; almost always there is room.
      if (taken < maxBytes) return;
      const ended = AbortSignal.any([...signals]);
      while (taken >= maxBytes && !ended.aborted)
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          ended.addEventListener('abort', () => resolve(), { once: true });
        });
    },
    get taken() {
      return taken;
    },
  };
}
