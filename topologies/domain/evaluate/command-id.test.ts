// The identity of commands. Expected values were computed with Python's hashlib and, where printed, with sha256sum:
//   printf '2:v14:acme7:evt-0015:rule17:webhook1:0' | sha256sum | cut -c1-32
import { expect, test } from 'vitest';
import { type CommandIdentity, commandId } from './command-id.ts';

const identity = (
  ...[tenant, sourceId, ruleId, actionKey, rowIndex]: [string, string, string, string, number | 'all']
): CommandIdentity => ({
  tenant,
  sourceId,
  ruleId,
  actionKey,
  rowIndex,
});

test.each([
  ['98e22e99bdb27fee6597d1464dc02d1b', identity('acme', 'evt-001', 'rule1', 'webhook', 0)],
  ['591f3dc49e2cf6eab0764d21f4289abf', identity('', 'findings.v1/3/27', 'critical', 'log#2', 'all')],
  ['5e5305e592f776973c1815593c6f5ed3', identity('münchen', 'job/run#2', 'r', 'mail', 41)],
  ['b2523796b1d5f2dd0ff5d6739223d86b', identity('', 'evt-8a3b9c2d', 'critical-to-webhook', 'webhook', 0)],
])('golden %s', (expected, given) => expect(commandId(given)).toBe(expected));

test('moving a character from one field to the next changes the id', () => {
  expect(commandId(identity('', 'ab', 'c', 'd', 0))).not.toBe(commandId(identity('', 'a', 'bc', 'd', 0)));
  expect(commandId(identity('a', '', 'c', 'd', 0))).not.toBe(commandId(identity('', 'a', 'c', 'd', 0)));
});
