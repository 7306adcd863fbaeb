// Whether a document is a CACAO 2.0 playbook as far as it is read here. Every fault is named with its JSON Pointer, not only the first.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { isMap, pointer } from '../../rules/import/imported.ts';
import { type CacaoPlaybook, cacaoLimits, stepTypes, typeOf } from './document.ts';

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Members that a step of a type must have (sections 4.3 to 4.10), beside its type. */
const required: Readonly<Record<string, readonly string[]>> = {
  action: ['commands'],
  'playbook-action': ['playbook_id'],
  parallel: ['next_steps'],
  'if-condition': ['condition', 'on_true'],
  'while-condition': ['condition', 'on_true'],
  'switch-condition': ['switch', 'cases'],
};

const shapes: Readonly<Record<string, (value: unknown) => boolean>> = {
  name: isText,
  description: isText,
  delay: isCount,
  timeout: isCount,
  condition: isText,
  switch: isText,
  playbook_id: isText,
  agent: isText,
  commands: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((one) => isMap(one) && isText(one['type'])),
  next_steps: (value) => Array.isArray(value) && value.length > 0 && value.every(isText),
  cases: (value) => isMap(value) && Object.values(value).every(isText),
  step_variables: isMap,
  step_extensions: isMap,
  in_args: (value) => Array.isArray(value) && value.every(isText),
  out_args: (value) => Array.isArray(value) && value.every(isText),
};

const wanted: Readonly<Record<string, string>> = {
  delay: 'must be a whole number of milliseconds',
  timeout: 'must be a whole number of milliseconds',
  commands: 'must be a list of commands with a type',
  next_steps: 'must be a list of step identifiers',
  cases: 'must be an object of step identifiers',
  step_variables: 'must be an object',
  step_extensions: 'must be an object',
  in_args: 'must be a list of names',
  out_args: 'must be a list of names',
};

/** Every fault, or that the document is too large; empty for a playbook that can be read. */
export function checkCacao(document: unknown): Issue[] {
  if (!isSmall(document))
    return [{ path: '', message: `has more than ${cacaoLimits.depth} levels or ${cacaoLimits.bytes} bytes` }];
  if (!isMap(document)) return [{ path: '', message: 'must be an object' }];
  const issues = [...headIssues(document), ...workflowIssues(document)];
  const most = cacaoLimits.issues;
  return issues.length <= most
    ? issues
    : [...issues.slice(0, most), { path: '', message: `and ${issues.length - most} more faults` }];
}

/** The document after checkCacao found nothing. */
export function asCacao(document: unknown): CacaoPlaybook {
  return document as CacaoPlaybook;
}

function headIssues(document: Readonly<Record<string, unknown>>): Issue[] {
  const issues: Issue[] = [];
  const want = (name: string, fits: (value: unknown) => boolean, message: string): void => {
    const value = document[name];
    if (!fits(value))
      issues.push({ path: `/${name}`, message: value === undefined ? 'is required' : message });
  };
  want('type', (value) => value === 'playbook', 'must be playbook');
  want(
    'spec_version',
    (value) => value === 'cacao-2.0',
    'must be cacao-2.0; other versions are not imported',
  );
  want('id', (value) => isText(value) && typeOf(value) === 'playbook', 'must be playbook--<UUID>');
  want('name', isText, 'must be a text');
  want('created_by', (value) => isText(value) && typeOf(value) === 'identity', 'must be identity--<UUID>');
  for (const name of ['created', 'modified'])
    want(
      name,
      (value) => isText(value) && timestamp.test(value),
      'must be a time such as 2026-04-28T12:00:00.000Z',
    );
  for (const name of ['playbook_variables', 'agent_definitions', 'playbook_extensions'])
    if (document[name] !== undefined && !isMap(document[name]))
      issues.push({ path: `/${name}`, message: 'must be an object' });
    else if (name !== 'playbook_extensions')
      for (const [key, value] of Object.entries((document[name] ?? {}) as object))
        if (!isMap(value) || !isText(value['type']))
          issues.push({ path: pointer(name, key), message: 'must be an object with a type' });
  for (const name of ['description'])
    if (document[name] !== undefined && !isText(document[name]))
      issues.push({ path: `/${name}`, message: 'must be a text' });
  const { labels } = document;
  if (labels !== undefined && !(Array.isArray(labels) && labels.every(isText)))
    issues.push({ path: '/labels', message: 'must be a list of texts' });
  return issues;
}

function workflowIssues({ workflow, workflow_start }: Readonly<Record<string, unknown>>): Issue[] {
  if (!isMap(workflow))
    return [{ path: '/workflow', message: workflow === undefined ? 'is required' : 'must be an object' }];
  const steps = Object.entries(workflow);
  if (steps.length > cacaoLimits.steps)
    return [{ path: '/workflow', message: `has more than ${cacaoLimits.steps} steps` }];
  const issues = steps.flatMap(([id, step]) => stepIssues(id, step, workflow));
  if (!isText(workflow_start)) issues.push({ path: '/workflow_start', message: 'is required' });
  else if (!Object.hasOwn(workflow, workflow_start))
    issues.push({ path: '/workflow_start', message: `there is no step ${workflow_start}` });
  else if (typeOf(workflow_start) !== 'start')
    issues.push({ path: '/workflow_start', message: 'must be a step of type start' });
  return issues;
}

function stepIssues(id: string, step: unknown, workflow: Readonly<Record<string, unknown>>): Issue[] {
  const issues: Issue[] = [];
  const add = (member: string, message: string): void => {
    issues.push({ path: pointer('workflow', id) + member, message });
  };
  if (!isMap(step)) return [{ path: pointer('workflow', id), message: 'must be an object' }];
  const { type } = step;
  if (!(stepTypes as readonly unknown[]).includes(type)) {
    add('/type', `must be one of ${stepTypes.join(', ')}`);
    return issues;
  }
  if (typeOf(id) !== type) add('', `its identifier must be ${String(type)}--<UUID>`);
  for (const name of required[String(type)] ?? [])
    if (step[name] === undefined) add(`/${name}`, 'is required');
  for (const [name, fits] of Object.entries(shapes))
    if (step[name] !== undefined && !fits(step[name])) add(`/${name}`, wanted[name] ?? 'must be a text');
  const target = (member: string, value: unknown): void => {
    if (!isText(value)) add(member, 'must be a step identifier');
    else if (!Object.hasOwn(workflow, value)) add(member, `there is no step ${value}`);
  };
  for (const name of ['on_completion', 'on_success', 'on_failure', 'on_true', 'on_false'])
    if (step[name] !== undefined) target(`/${name}`, step[name]);
  if (Array.isArray(step['next_steps']))
    for (const [index, value] of step['next_steps'].entries())
      if (isText(value)) target(`/next_steps/${index}`, value);
  if (isMap(step['cases']))
    for (const [key, value] of Object.entries(step['cases']))
      if (isText(value)) target(pointer('cases', key), value);
  // Section 4.1: one or the other, and neither where a branch ends.
  const split = step['on_success'] !== undefined || step['on_failure'] !== undefined;
  if (split && step['on_completion'] !== undefined)
    add('/on_completion', 'does not go with on_success and on_failure');
  if (type === 'start' && split)
    add(step['on_success'] === undefined ? '/on_failure' : '/on_success', 'does not fit start');
  if (type === 'end')
    for (const name of ['on_completion', 'on_success', 'on_failure'])
      if (step[name] !== undefined) add(`/${name}`, 'does not fit end');
  return issues;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

// Level by level and counted, so that depth exhausts no stack.
function isSmall(document: unknown): boolean {
  let level: unknown[] = [document];
  let seen = 0;
  for (let depth = 0; level.length > 0; depth++) {
    seen += level.length;
    if (depth > cacaoLimits.depth || seen > cacaoLimits.bytes) return false;
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
  return Buffer.byteLength(JSON.stringify(document) ?? '') <= cacaoLimits.bytes;
}
