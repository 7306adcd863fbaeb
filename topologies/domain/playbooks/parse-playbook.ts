// A playbook document, checked as a whole: schema, size, steps, names, conditions, values, durations.
//
// Invariant: every error is an issue that names the step by JSON Pointer; a document without issues becomes a program whose runs
// never throw over what the document says.
import { checkDocument, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Playbook, PlaybookStep, PlaybookVersion } from '@tocsin/schemas/types.ts';
import type { Condition } from '../rules/condition.ts';
import type { KnownLists } from '../rules/operators/operator.ts';
import { parseWhen } from '../rules/parse-condition.ts';
import type { Path, RuleSource } from '../rules/path.ts';
import { parsePath } from '../rules/path.ts';
import { checkGotos, checkReached, checkReferences, type Reference } from './check-flow.ts';
import { parseDuration } from './duration.ts';
import { playbookLimits } from './limits.ts';
import { type Outline, outlineOf } from './outline.ts';
import type { Program, ProgramStep } from './program.ts';
import { startRoots } from './start-key.ts';
import { type Ask, compileVerdict } from './tri-state.ts';
import { checkValue, namesIn, type ValueCheck } from './values.ts';

/** What exists beside the playbook; names of a kind are not checked without it. */
export interface PlaybookCheck {
  readonly actions?: { has(id: string): boolean };
  readonly connections?: { has(id: string): boolean };
  readonly playbooks?: { has(id: string): boolean };
  readonly lists?: KnownLists;
  /** Who writes this revision. */
  readonly author?: string;
}

/** Lists change; what a step asks must answer the same in a replay. */
const noLists: KnownLists = new Map();

interface Parts {
  readonly issues: Issue[];
  readonly outline: Outline;
  readonly conditions: Map<string, Ask>;
}

/** Every reason why a playbook cannot be used, as JSON Pointers into the document; an empty list means it can. */
export function checkPlaybook(document: unknown, check: PlaybookCheck = {}): Issue[] {
  return parsePlaybook(document, check).issues;
}

/** The program of a published revision, or every reason why it is none. Actions and playbooks that it names must be pinned. */
export function compileVersion(
  version: PlaybookVersion,
): { readonly program: Program; readonly issues: [] } | { readonly program: null; readonly issues: Issue[] } {
  const has = (names: object): { has(id: string): boolean } => ({ has: (id) => Object.hasOwn(names, id) });
  const { document, actions, playbooks } = version;
  const own = { ...playbooks, [document.id]: version.revision };
  const { issues, outline, conditions } = parsePlaybook(document, {
    actions: has(actions),
    playbooks: has(own),
  });
  if (issues.length > 0 || outline === null) return { program: null, issues };
  const { steps, lists, paths } = outline;
  return {
    program: { version: { ...version, playbooks: own }, steps, lists, paths, conditions },
    issues: [],
  };
}

function parsePlaybook(
  document: unknown,
  check: PlaybookCheck,
): { issues: Issue[]; outline: Outline | null; conditions: Map<string, Ask> } {
  const shape = playbookSizeIssues(document);
  if (shape.length === 0) shape.push(...checkDocument('playbook.json', document));
  if (shape.length > 0) return { issues: shape, outline: null, conditions: new Map() };
  const playbook = document as Playbook;
  const outline = outlineOf(playbook);
  const parts: Parts = { issues: [...outline.issues], outline, conditions: new Map() };
  const references: Reference[] = [];
  checkTrigger(playbook, parts, check);
  for (const step of outline.steps.values()) checkStep(step, parts, references, check);
  addValue(playbook.outputs, '/outputs', null, parts.issues, references);
  for (const [text, path] of headDurations(playbook)) addDuration(text, path, parts.issues);
  parts.issues.push(
    ...checkReferences(references, outline),
    ...checkGotos(outline),
    ...checkReached(outline),
  );
  return { issues: parts.issues, outline, conditions: parts.conditions };
}

function checkTrigger({ trigger }: Playbook, { issues, conditions }: Parts, { lists }: PlaybookCheck): void {
  if (trigger === undefined) return;
  const empty = trigger.when === undefined || Object.keys(trigger.when).length === 0;
  if (empty === (trigger.match_all !== true))
    issues.push({
      path: empty ? '/trigger/when' : '/trigger/match_all',
      message: empty
        ? 'is empty; match_all: true takes everything'
        : 'a trigger with conditions cannot match all',
    });
  if (!empty)
    addCondition(trigger.when, '/trigger/when', trigger.source ?? 'events', { issues, conditions }, lists);
  for (const [index, text] of trigger.dedupe?.key.entries() ?? []) {
    const path = parsePath(text, 'run');
    const at = `/trigger/dedupe/key/${index}`;
    if ('error' in path) issues.push({ path: at, message: path.error });
    else if (!startRoots.includes(path.segments[0] ?? ''))
      issues.push({
        path: at,
        message: `a run is named by ${startRoots.join(', ')}: nothing else is known yet`,
      });
    else if (path.root === 'texts') issues.push({ path: at, message: 'names one value, not all texts' });
  }
}

function checkStep(entry: ProgramStep, parts: Parts, references: Reference[], check: PlaybookCheck): void {
  const { step, pointer, kind, path } = entry;
  const { issues, conditions } = parts;
  const condition = (value: unknown, at: string, within?: string): void => {
    const found = addCondition(value, `${pointer}/${at}`, 'run', { issues, conditions }, noLists);
    if (found !== null) references.push(...conditionReferences(found, entry, `${pointer}/${at}`, within));
  };
  const value = (given: unknown, at: string, options: ValueCheck = {}): void =>
    addValue(given, `${pointer}/${at}`, entry, issues, references, options);
  if (step.when !== undefined) condition(step.when, 'when');
  if (step.if !== undefined) condition(step.if, 'if');
  for (const [index, one] of step.switch?.cases.entries() ?? [])
    condition(one.when, `switch/cases/${index}/when`);
  if (step.while !== undefined) condition(step.while.when, 'while/when', path);
  if (step.waitFor?.match !== undefined)
    addCondition(step.waitFor.match, `${pointer}/waitFor/match`, 'events', { issues, conditions }, noLists);
  if (step.waitFor?.at?.split('.').includes('') === true)
    issues.push({
      path: `${pointer}/waitFor/at`,
      message: 'a path is names with single dots between them',
    });
  value(step.waitFor?.correlate, 'waitFor/correlate');
  value(step.outputs, 'outputs', { extra: ['result'] });
  value(step.set, 'set');
  value(step.forEach?.items, 'forEach/items');
  value(step.playbook?.params, 'playbook/params');
  value(step.approve?.title, 'approve/title');
  value(step.approve?.message, 'approve/message');
  value(step.end?.reason, 'end/reason');
  if (kind === 'action') {
    value(step.with, 'with', { raw: true });
    if (typeof step.action === 'object') value(step.action.params, 'action/params', { raw: true });
  }
  if (typeof step.delay === 'object' && 'until' in step.delay) value(step.delay.until, 'delay/until');
  if (typeof step.delay === 'object' && 'for' in step.delay && step.delay.after?.startsWith('step:'))
    references.push({ id: step.delay.after.slice(5), pointer: `${pointer}/delay/after`, from: entry });
  for (const [text, at] of stepDurations(step)) addDuration(text, `${pointer}/${at}`, issues);
  checkNames(entry, parts, check);
}

function checkNames(
  { step, pointer, order }: ProgramStep,
  { issues, outline }: Parts,
  check: PlaybookCheck,
): void {
  const missing = (
    known: { has(id: string): boolean } | undefined,
    id: string,
    what: string,
    at: string,
  ): void => {
    if (known !== undefined && !known.has(id))
      issues.push({ path: `${pointer}/${at}`, message: `the ${what} ${id} does not exist` });
  };
  if (typeof step.action === 'string') missing(check.actions, step.action, 'action', 'action');
  else if (step.action?.connection !== undefined)
    missing(check.connections, step.action.connection, 'connection', 'action/connection');
  if (step.playbook !== undefined) missing(check.playbooks, step.playbook.id, 'playbook', 'playbook/id');
  const { approve } = step;
  if (approve === undefined) return;
  const people = [...approve.by.anyOf, ...(approve.escalate?.add ?? [])];
  if (
    approve.notSelf !== false &&
    check.author !== undefined &&
    people.every((one) => one === `user:${check.author}`)
  )
    issues.push({
      path: `${pointer}/approve/by/anyOf`,
      message: 'names nobody but the author, who cannot approve',
    });
  for (const [index, id] of approve.covers?.entries() ?? []) {
    const covered = outline.steps.get(outline.paths.get(id) ?? '');
    const at = `${pointer}/approve/covers/${index}`;
    if (covered === undefined) issues.push({ path: at, message: `there is no step ${id}` });
    else if (covered.kind !== 'action' || covered.order < order)
      issues.push({ path: at, message: `${id} is no action behind this step` });
    else if (sentNames(covered).some((name) => name.startsWith(`steps.${step.id}.`)))
      issues.push({
        path: at,
        message: `what ${id} sends depends on this decision, so nobody can see it before`,
      });
  }
}

/** What the parameters that stand in the step name. */
function sentNames({ step }: ProgramStep): readonly string[] {
  const own = typeof step.action === 'object' ? step.action.params : {};
  return namesIn({ ...own, ...step.with });
}

function addCondition(
  value: unknown,
  pointer: string,
  source: RuleSource | 'run',
  { issues, conditions }: Pick<Parts, 'issues' | 'conditions'>,
  lists: KnownLists | undefined,
): Condition | null {
  const parsed = parseWhen(value as Record<string, unknown>, source, lists);
  for (const { path, message } of parsed.issues)
    issues.push({ path: `${pointer}${path.slice('/when'.length)}`, message });
  if (parsed.condition !== null) conditions.set(pointer, compileVerdict(parsed.condition));
  return parsed.condition;
}

function addValue(
  value: unknown,
  pointer: string,
  from: ProgramStep | null,
  issues: Issue[],
  references: Reference[],
  options: ValueCheck = {},
): void {
  if (value === undefined) return;
  const read = checkValue(value, pointer, options);
  issues.push(...read.issues);
  for (const name of read.names) {
    const [root, id] = name.split('.');
    if (root === 'steps' && id !== undefined) references.push({ id, pointer, from });
  }
}

function conditionReferences(
  condition: Condition,
  from: ProgramStep,
  pointer: string,
  within: string | undefined,
): Reference[] {
  const references: Reference[] = [];
  const add = ({ root, segments: [first, id] }: Path): void => {
    if (root === 'element' || first !== 'steps') return;
    references.push({ id: id ?? '', pointer, from, ...(within === undefined ? {} : { within }) });
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
        for (const path of node.paths) add(path);
        visit(node.of);
        return;
      case 'field':
        for (const path of node.paths) add(path);
        for (const test of node.tests) if (test.op === 'field') add(test.path);
        return;
      default:
        node satisfies never;
    }
  };
  visit(condition);
  return references;
}

function headDurations({ trigger, limits, defaults }: Playbook): [string | undefined, string][] {
  return [
    [trigger?.dedupe?.window, '/trigger/dedupe/window'],
    [limits?.duration, '/limits/duration'],
    [defaults?.deadline, '/defaults/deadline'],
    [defaults?.retry?.base, '/defaults/retry/base'],
    [defaults?.retry?.max, '/defaults/retry/max'],
  ];
}

function stepDurations({
  delay,
  timeout,
  deadline,
  retry,
  approve,
}: PlaybookStep): [string | undefined, string][] {
  return [
    [typeof delay === 'string' ? delay : undefined, 'delay'],
    [typeof delay === 'object' && 'for' in delay ? delay.for : undefined, 'delay/for'],
    [timeout, 'timeout'],
    [deadline, 'deadline'],
    [retry?.base, 'retry/base'],
    [retry?.max, 'retry/max'],
    ...(approve?.remind ?? []).map((text, index): [string, string] => [text, `approve/remind/${index}`]),
    [approve?.escalate?.after, 'approve/escalate/after'],
  ];
}

function addDuration(text: string | undefined, path: string, issues: Issue[]): void {
  const parsed = text === undefined ? 0 : parseDuration(text);
  if (typeof parsed === 'object') issues.push({ path, message: parsed.error });
}

// Level by level and counted, so that neither depth nor parts that YAML anchors repeat can exhaust stack or memory.
/** Why a document is too large or too deep to be a playbook; what tools keep in `meta` counts apart. */
export function playbookSizeIssues(document: unknown): Issue[] {
  if (typeof document !== 'object' || document === null) return [];
  const { meta, ...rest } = document as Record<string, unknown>;
  return [
    ...sizeIssues(rest, '', playbookLimits.bytes),
    ...sizeIssues(meta, '/meta', playbookLimits.metaBytes),
  ];
}

function sizeIssues(document: unknown, path: string, bytes: number): Issue[] {
  const { documentDepth } = playbookLimits;
  const what = path === '' ? 'a playbook' : 'it';
  const tooLarge = [{ path, message: `${what} has at most ${documentDepth} levels and ${bytes} bytes` }];
  let level: unknown[] = [document];
  let seen = 0;
  for (let depth = 0; level.length > 0; depth++) {
    seen += level.length;
    if (depth > documentDepth || seen > bytes) return tooLarge;
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
  return Buffer.byteLength(JSON.stringify(document) ?? '') > bytes ? tooLarge : [];
}
