// How many connections the HTTP client may hold by default: as the limit of open files allows.
// Surprise: Node raises its soft limit to the hard one at its start, so the hard one is what counts.
import { readFileSync } from 'node:fs';

/** More cost memory (about 20 kB each) and save nothing: a receiver closes what is idle after seconds. */
const wanted = 12_288;
/** Where the limit cannot be read: macOS. */
const unknownLimit = 8_192;

/** Two thirds of the open files of the process, given as /proc/self/limits or null; the rest is for everything else. */
export function connectionsWithin(limits: string | null): number {
  const found = /^Max open files +(\d+|unlimited)/m.exec(limits ?? '')?.[1];
  const files = found === 'unlimited' ? Infinity : Number(found ?? unknownLimit);
  return Math.max(16, Math.min(wanted, Math.floor((files * 2) / 3)));
}

export function defaultMaxConnections(): number {
  let limits: string | null = null;
  try {
    limits = readFileSync('/proc/self/limits', 'latin1');
  } catch {
    // No Linux.
  }
  return connectionsWithin(limits);
}
