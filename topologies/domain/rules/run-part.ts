// The part of a condition that the identity of a run alone decides: a rule of another job need not follow the run.
//
// Invariant: where this part does not hold, the condition holds for no row of no chunk of the run. Other members of a search
// result may differ from chunk to chunk, so they do not count.
import type { Condition } from './condition.ts';
import type { Test } from './operators/operators.ts';
import type { Path } from './path.ts';

const identity = ['job_id', 'run_id', 'tenant'];

/** A condition over `search.job_id`, `search.run_id` and `search.tenant`; it always holds when there is none. */
export function runPart(condition: Condition): Condition {
  if (condition.kind === 'all') return { kind: 'all', of: condition.of.map(runPart) };
  const isPart =
    condition.kind === 'field' &&
    condition.paths.every(isIdentity) &&
    condition.tests.every(looksAtNothingElse);
  return isPart ? condition : { kind: 'all', of: [] };
}

function isIdentity({ root, segments }: Path): boolean {
  return root === 'search' && segments.length === 1 && identity.includes(segments[0] as string);
}

function looksAtNothingElse(test: Test): boolean {
  if (test.op === 'not') return test.tests.every(looksAtNothingElse);
  return test.op !== 'field';
}
