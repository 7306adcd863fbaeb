// What a process holds in memory, by Linux.
import { readFileSync } from 'node:fs';

/** Resident memory, MB. */
export function rssMbOf(pid: number): number {
  const [, kilobytes = '0'] = /VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kilobytes) / 1000);
}
