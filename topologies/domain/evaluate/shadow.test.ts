// A shadow rule is evaluated and counted, and nothing follows: no command, no refusal, no event, no dead letter.
import { expect, test } from 'vitest';
import { startDrive } from '../../testing/drive.ts';
import { topics } from '../../topics.ts';
import { decide } from './decide.ts';
import { action, eventInput, finding, rule, run, searchInput, tables } from './fixtures.ts';

const acting = rule('acting', [{ action: 'log' }]);
const shadow = rule('shadow', [{ action: 'log' }, { action: 'gone' }], { shadow: true });

test('it matches beside the others and calls for nothing, not even a refusal', () => {
  const { matched, commands, refused } = decide(eventInput(finding), tables([acting, shadow]));
  expect(matched).toEqual([
    { rule: 'acting', revision: 3, rows: 1 },
    { rule: 'shadow', revision: 3, rows: 1, shadow: true },
  ]);
  expect(commands.map((command) => command.rule?.id)).toEqual(['acting']);
  expect(refused).toEqual([]);
});

test('shadow: false is an ordinary rule', () => {
  const { matched, commands } = decide(eventInput(finding), tables([{ ...acting, shadow: false }]));
  expect([matched, commands.length]).toEqual([[{ rule: 'acting', revision: 3, rows: 1 }], 1]);
});

test('a loop is refused for the rules that would act only', () => {
  const looping = eventInput({ ...finding, hops: 5 });
  expect(decide(looping, tables([shadow])).refused).toEqual([]);
  const [loop] = decide(looping, tables([acting, shadow])).refused;
  expect([loop?.reason, loop?.detail.endsWith('not run: acting')]).toEqual(['loop_detected', true]);
});

test('rows are counted', () => {
  const rows = rule('rows', [{ action: 'log' }], { source: 'search-results', when: { n: 1 }, shadow: true });
  const decision = decide(searchInput(run([{ n: 1 }, { n: 2 }, { n: 1 }])), tables([rows]));
  expect([decision.matched, decision.commands]).toEqual([
    [{ rule: 'rows', revision: 3, rows: 2, shadow: true }],
    [],
  ]);
});

test('through the whole system: a metric, and neither commands nor action.triggered', async () => {
  const log = action('log', { type: 'log', params: {} });
  const drive = await startDrive({ documents: [log, rule('trial', [{ action: 'log' }], { shadow: true })] });
  await drive.publish(topics.findings, finding);
  await drive.advance();
  expect(drive.metrics.total('tocsin_rule_shadow_matches_total', { rule: 'trial' })).toBe(1);
  expect(drive.metrics.total('tocsin_rule_matches_total')).toBe(0);
  expect(drive.metrics.total('tocsin_commands_total')).toBe(0);
  expect(drive.read(topics.events)).toEqual([]);
  expect(drive.read(topics.results)).toEqual([]);
  // The same rule out of the shadow acts, so the silence above is its doing.
  drive.configure(rule('trial', [{ action: 'log' }]), 2);
  await drive.publish(topics.findings, finding);
  await drive.advance(1_000);
  expect(drive.metrics.total('tocsin_commands_total')).toBe(1);
  expect(drive.read(topics.events)).toMatchObject([
    { event: 'action.triggered' },
    { event: 'action.completed' },
  ]);
  await drive.stop();
});
