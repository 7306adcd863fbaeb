// What is no input of a run is refused with a reason; a step that throws leaves the run to an operator.
import { expect, test } from 'vitest';
import { topics } from '../../topics.ts';
import { programOf, stage, started } from './play-kit.ts';
import { createRunFold, readRunInput } from './run-fold.ts';

const read = (value: unknown, key: string | null = 'k') =>
  readRunInput(
    key === null ? null : Buffer.from(key),
    value === null ? null : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  );
const source = { id: 'e', kind: 'event', topic: 't', partition: 0, offset: 0 };

test.each<[string, unknown]>([
  ['start', { kind: 'start', playbook: 'p', revision: 1, event: { event: 'x' }, source, by: 'me' }],
  ['result', { kind: 'result', command_id: 'a'.repeat(32), status: 'failed', code: 'dns', token: 't' }],
  ['timer', { kind: 'timer', token: 't', due: 1, fired_at: 2 }],
  ['event', { kind: 'event', correlation: 'c', event: { event: 'scan.completed' } }],
  ['decision', { kind: 'decision', token: 't', decision_id: 'd', actor: 'a', roles: [], verdict: 'approve' }],
  ['cancel', { kind: 'cancel', by: 'op', compensate: true }],
])('%s is an input', (_kind, input) => expect(read(input)).toEqual({ key: 'k', input }));

test.each<[string, unknown, string | null, string]>([
  ['nothing', null, 'k', 'not_json'],
  ['no key', { kind: 'resume', by: 'op' }, null, 'no_key'],
  ['bytes', '\u0000\u0001', 'k', 'not_json'],
  ['a text', '"start"', 'k', 'not_json'],
  ['a list', '[]', 'k', 'not_json'],
  ['another kind', { kind: 'explode' }, 'k', 'invalid_input'],
  [
    'a vote without an actor',
    { kind: 'decision', token: 't', decision_id: 'd', roles: [], verdict: 'approve' },
    'k',
    'invalid_input',
  ],
  [
    'another verdict',
    { kind: 'decision', token: 't', decision_id: 'd', actor: 'a', roles: [], verdict: 'maybe' },
    'k',
    'invalid_input',
  ],
  ['an unknown member', { kind: 'resume', by: 'op', now: true }, 'k', 'invalid_input'],
  ['5 MB', { kind: 'cancel', by: 'op', reason: 'x'.repeat(5_000_000) }, 'k', 'not_json'],
])('%s is none', (_what, value, key, refuse) => {
  const result = read(value, key);
  expect('refuse' in result ? result.refuse : result).toBe(refuse);
});

test('a prototype is a member like any other, and none that is known', () => {
  const result = read('{"kind":"cancel","by":"op","__proto__":{"compensate":true}}');
  if ('refuse' in result) throw new Error(result.detail);
  expect(Object.getPrototypeOf(result.input)).toBe(Object.prototype);
  expect(result.input).not.toHaveProperty('compensate');
});

test('a throw is an incident of its run; retry takes it away', () => {
  const run = stage([{ id: 'a', action: 'mail' }]);
  run.start();
  const program = programOf([{ id: 'a', action: 'mail' }]);
  const fold = createRunFold({
    definitions: (_id, revision) => (revision === 1 ? program : null),
    input: topics.results,
    changelog: topics.events,
  });
  const moment = { now: started, partition: 0, offset: 9, key: 'k' };
  const lost = { ...run.state, revision: 7 };
  const input = { kind: 'resume', by: 'op' } as const;
  expect(() => fold.step(lost, input, moment)).toThrow('revision 7 of p is not known');
  const fault = fold.fault(run.state, input, moment, 'boom');
  expect(fault.state).toMatchObject({ status: 'incident', fault: { input: 'resume', error: 'boom' } });
  expect(fold.step(fault.state, input, moment).state?.status).toBe('incident');
  expect(fold.step(fault.state, { kind: 'retry', by: 'op' }, moment).state?.status).toBe('running');
});
