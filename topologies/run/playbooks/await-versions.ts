// Waits for versions of playbooks that inputs name and that are not known yet: their topic may lag behind that of the inputs.
//
// Invariant: bounded: a version that did not come in time is not waited for again for a while, so that inputs which name one that
// does not exist hold their partition once, and not each.
import type { Definitions } from '../../domain/playbooks/program.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';

/** Published versions as far as this process knows them. */
export interface KnownVersions {
  readonly definitions: Definitions;
  has(playbook: string, revision: number): boolean;
  /** Reads on to the present end of their topic. */
  catchUp(): Promise<void>;
}

export interface WantedVersion {
  readonly playbook: string;
  readonly revision: number;
}

export interface AwaitVersionsOptions {
  readonly versions: KnownVersions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Longest wait, ms; default 30,000. */
  readonly waitMs?: number;
  /** How long a version that did not come is not waited for again, ms; default 600,000. */
  readonly pauseMs?: number;
}

/** Time between two looks, ms. */
const lookMs = 500;
/** Versions that are remembered as missing. */
const maxMissing = 1_000;

/** Resolves when all of them are known or their time is over; rejects when the signal is aborted. */
export function createAwaitVersions(
  options: AwaitVersionsOptions,
): (wanted: readonly WantedVersion[], signal: AbortSignal) => Promise<void> {
  const { versions, clock, logger, waitMs = 30_000, pauseMs = 600_000 } = options;
  /** By `playbook@revision`: until when it is not waited for, epoch ms. */
  const missing = new Map<string, number>();
  const nameOf = ({ playbook, revision }: WantedVersion): string => `${playbook}@${revision}`;

  async function catchUp(): Promise<void> {
    try {
      await versions.catchUp();
    } catch (error) {
      logger.warn('versions of playbooks could not be read', { error: String(error) });
    }
  }

  return async (wanted, signal) => {
    const isKnown = ({ playbook, revision }: WantedVersion): boolean => versions.has(playbook, revision);
    let open = wanted.filter((one) => !isKnown(one) && !((missing.get(nameOf(one)) ?? 0) > clock.now()));
    const until = clock.now() + waitMs;
    while (open.length > 0) {
      await catchUp();
      open = open.filter((one) => !isKnown(one));
      if (open.length === 0 || clock.now() >= until) break;
      await clock.sleep(lookMs, signal);
    }
    for (const one of open) {
      logger.error('a version of a playbook is not known', { version: nameOf(one), waitedMs: waitMs });
      missing.delete(nameOf(one));
      missing.set(nameOf(one), clock.now() + pauseMs);
    }
    for (const name of missing.keys()) {
      if (missing.size <= maxMissing) break;
      missing.delete(name);
    }
  };
}
