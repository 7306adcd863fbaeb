// A full garbage collection before memory is measured, so that the figure is what stays and not what was read on the way.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

interface Collection {
  readonly type: 'major';
  readonly execution: 'sync';
  /** Also gives the freed pages back to the system. */
  readonly flavor: 'last-resort';
}

/** Collects all garbage of this process now; takes some 10 ms to 100 ms. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (collection: Collection) => void;
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
