// The union of what all rules read of an event, kept while rules come and go.
//
// Invariant: `wanted` covers every rule that was added and not removed, and the parts that deciding itself needs.
import type { Wanted } from '@tocsin/schemas/codecs/avro-project.ts';
import type { Condition } from '../rules/condition.ts';
import { readPaths } from '../rules/paths-of.ts';

export interface WantedParts {
  add(condition: Condition): void;
  remove(condition: Condition): void;
  /** The same object until a path comes or goes. */
  wanted(): Wanted;
}

/** `always` is wanted whatever the rules are. */
export function createWantedParts(always: readonly (readonly string[])[]): WantedParts {
  const paths = new Map<string, number>();
  const whole = new Map<string, number>();
  let current: Wanted | null = null;

  const pathOf = (text: string): string[] => JSON.parse(text) as string[];

  function change(uses: Map<string, number>, path: readonly string[], by: 1 | -1): void {
    const text = JSON.stringify(path);
    const before = uses.get(text) ?? 0;
    if (before + by === 0) uses.delete(text);
    else uses.set(text, before + by);
    if (before === 0 || before + by === 0) current = null;
  }

  function changeAll(condition: Condition, by: 1 | -1): void {
    const read = readPaths(condition);
    for (const path of read.paths) change(paths, path, by);
    for (const path of read.whole) change(whole, path, by);
  }

  return {
    add: (condition) => changeAll(condition, 1),
    remove: (condition) => changeAll(condition, -1),
    wanted() {
      current ??= {
        paths: [...always, ...[...paths.keys()].map(pathOf)],
        whole: [...whole.keys()].map(pathOf),
      };
      return current;
    },
  };
}
