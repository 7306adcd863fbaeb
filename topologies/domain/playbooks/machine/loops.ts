// Steps that run lists of steps: if, switch, parallel, forEach, while. One file, because all of them end when their lists have.
import { sizeOf } from '../../action/kept-output.ts';
import type { Json } from '../../action/outcome.ts';
import { TemplateError } from '../../templates/parse.ts';
import { runLimits } from '../limits.ts';
import { resolveValue } from '../values.ts';
import { askAt, viewsAt } from './context.ts';
import { iterationOf, stepAt, tell } from './draft.ts';
import { close, enterList, fail, succeed } from './flow.ts';
import type { Cursor, Draft, Node } from './state.ts';

/** if: one of its lists. */
export function startIf(draft: Draft, place: string): void {
  const { step, path, pointer, id } = stepAt(draft, place);
  const verdict = askAt(draft, place, `${pointer}/if`);
  const onUnknown = step.onUnknown ?? 'else';
  if (verdict === null && onUnknown === 'fail') {
    fail(draft, place, 'unknown_condition', 'a field that decides is missing');
    return;
  }
  const took = (verdict ?? onUnknown === 'then') ? 'then' : 'else';
  tell(draft, { what: 'branch', place, step: id, took, ...(verdict === null ? { unknown: true } : {}) });
  enterList(draft, `${path}/${took}`, iterationOf(place), place);
}

/** switch: the first case that holds. Unknown is not holding, and is told. */
export function startSwitch(draft: Draft, place: string): void {
  const { step, path, pointer, id } = stepAt(draft, place);
  let unknown = false;
  for (const index of step.switch?.cases.keys() ?? []) {
    const verdict = askAt(draft, place, `${pointer}/switch/cases/${index}/when`);
    unknown ||= verdict === null;
    if (verdict !== true) continue;
    tell(draft, { what: 'branch', place, step: id, took: `cases/${index}` });
    enterList(draft, `${path}/cases/${index}`, iterationOf(place), place);
    return;
  }
  tell(draft, { what: 'branch', place, step: id, took: 'default', ...(unknown ? { unknown: true } : {}) });
  enterList(draft, `${path}/default`, iterationOf(place), place);
}

export function startParallel(draft: Draft, place: string, node: Node): void {
  const { step } = stepAt(draft, place);
  Object.assign(node, { live: 0, next: 0, total: step.parallel?.branches.length ?? 0, ok: 0 });
  fill(draft, place, node);
}

export function startForEach(draft: Draft, place: string, node: Node): void {
  const { step } = stepAt(draft, place);
  const { items: given, max = 0 } = step.forEach ?? {};
  let items: Json | undefined;
  try {
    items = resolveValue(given, viewsAt(draft, place));
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    fail(draft, place, 'template', error.message);
    return;
  }
  const bytes = sizeOf(items);
  if (!Array.isArray(items)) fail(draft, place, 'no_list', 'the items are no list');
  else if (items.length > max) fail(draft, place, 'too_many_items', `${items.length} items, at most ${max}`);
  else if (draft.state.bytes + bytes > runLimits.contextBytes)
    fail(draft, place, 'context_limit', `the run keeps at most ${runLimits.contextBytes} bytes`);
  else {
    node.items = items;
    for (const item of items) draft.state.bytes += JSON.stringify(item).length;
    Object.assign(node, { live: 0, next: 0, total: items.length, ok: 0, bad: [], badCount: 0 });
    fill(draft, place, node);
  }
}

/** Starts as many lists as may run at a time; ends the step when none is left. */
function fill(draft: Draft, place: string, node: Node): void {
  const { step, kind, path } = stepAt(draft, place);
  const { live = 0, next = 0, total = 0 } = node;
  const width =
    kind === 'parallel' ? (step.parallel?.concurrency ?? total) : (step.forEach?.concurrency ?? 1);
  const to = Math.min(total, next + width - live);
  node.next = to;
  node.live = live + to - next;
  for (let n = next; n < to; n++)
    if (kind === 'parallel') enterList(draft, `${path}/branches/${n}`, iterationOf(place), place);
    else enterList(draft, `${path}/do`, `${iterationOf(place)}.${n}`, place, n);
  if (node.live > 0) return;
  if (kind === 'parallel') succeed(draft, place);
  else
    succeed(draft, place, {
      outputs: {
        items: total,
        succeeded: node.ok ?? 0,
        failed: node.badCount ?? 0,
        failed_items: node.bad ?? [],
      },
    });
}

/** while: asks, and runs one more round or ends. `next` counts the rounds. */
export function nextRound(draft: Draft, place: string, node: Node): void {
  const { step, path, pointer, id } = stepAt(draft, place);
  const rounds = node.next ?? 0;
  const verdict = askAt(draft, place, `${pointer}/while/when`);
  const unknown = step.onUnknown ?? 'stop';
  if (verdict === null && unknown === 'fail')
    fail(draft, place, 'unknown_condition', 'a field that decides is missing');
  else if (!(verdict ?? unknown === 'run')) succeed(draft, place, { outputs: { rounds } });
  else if (rounds >= (step.while?.max ?? 0))
    fail(draft, place, 'max_reached', `the condition still holds after ${rounds} rounds`);
  else {
    node.next = rounds + 1;
    tell(draft, {
      what: 'branch',
      place,
      step: id,
      took: `round ${rounds}`,
      ...(verdict === null ? { unknown: true } : {}),
    });
    enterList(draft, `${path}/do`, `${iterationOf(place)}.${rounds}`, place, rounds);
  }
}

/** One list of a step ended. False: it failed, and so does the step. */
export function roundDone(draft: Draft, place: string, node: Node, cursor: Cursor, well: boolean): boolean {
  const { step, kind } = stepAt(draft, place);
  if (!well) {
    if (kind !== 'forEach' || node.s === 'handling' || step.forEach?.onItemError !== 'continue') return false;
    node.badCount = (node.badCount ?? 0) + 1;
    if ((node.bad?.length ?? 0) < runLimits.failedItems) node.bad = [...(node.bad ?? []), cursor.n ?? 0];
  } else node.ok = (node.ok ?? 0) + 1;
  if (kind === 'while') nextRound(draft, place, node);
  else if (kind === 'parallel' || kind === 'forEach') {
    node.live = (node.live ?? 1) - 1;
    fill(draft, place, node);
  } else close(draft, place, 'succeeded', {});
  return true;
}
