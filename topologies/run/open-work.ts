// Work in progress by assignment, so that a revoke can wait for it.
import type { Assignment } from '../ports/log.ts';

export interface OpenWork {
  track(assignment: Assignment, work: Promise<unknown>): void;
  /** Resolves when nothing of the assignment is in progress, what it began meanwhile included. */
  settled(assignment: Assignment): Promise<void>;
}

/** `onFailure` hears of work that rejects. */
export function createOpenWork(onFailure: (error: Error) => void): OpenWork {
  const running = new Map<Assignment, Set<Promise<unknown>>>();
  return {
    track(assignment, work) {
      const open = running.get(assignment) ?? new Set();
      running.set(assignment, open);
      open.add(work);
      void work
        .catch((error: unknown) => onFailure(error instanceof Error ? error : new Error(String(error))))
        .finally(() => {
          open.delete(work);
          if (open.size === 0) running.delete(assignment);
        });
    },
    async settled(assignment) {
      for (let open = running.get(assignment); open !== undefined; open = running.get(assignment))
        await Promise.allSettled(open);
    },
  };
}
