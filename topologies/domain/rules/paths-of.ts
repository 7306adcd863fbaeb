// Which parts of an event a condition reads, so that a reader of events may skip the rest.
import type { Condition } from './condition.ts';
import type { Test } from './operators/operators.ts';
import type { Path } from './path.ts';

export interface ReadPaths {
  /** What stands at the path; of an object only that it is one. */
  readonly paths: readonly (readonly string[])[];
  /** What stands there with everything in it: `each` and `*` look further. */
  readonly whole: readonly (readonly string[])[];
}

/** Paths into the event or row; a path may come several times. */
export function readPaths(condition: Condition): ReadPaths {
  const paths: string[][] = [];
  const whole: string[][] = [];
  const add = ({ root, segments }: Path): void => {
    if (root === 'fields') paths.push([...segments]);
    else if (root === 'texts') whole.push([...segments]);
  };
  const addTest = (test: Test): void => {
    if (test.op === 'field') add(test.path);
    if (test.op === 'not') for (const inner of test.tests) addTest(inner);
  };
  const visit = (node: Condition): void => {
    switch (node.kind) {
      case 'all':
      case 'any':
        for (const part of node.of) visit(part);
        return;
      case 'not':
        visit(node.of);
        return;
      case 'each':
        for (const { root, segments } of node.paths) if (root === 'fields') whole.push([...segments]);
        visit(node.of);
        return;
      case 'field':
        for (const path of node.paths) add(path);
        for (const test of node.tests) addTest(test);
        return;
      default:
        node satisfies never;
    }
  };
  visit(condition);
  return { paths, whole };
}
