// A worker that dies at any point of a script command: the script is begun once at most, and its end is told, or the command is held.
import { expect, test } from 'vitest';
import { fakeScriptHost } from '../../ports/fakes/script-host.ts';
import { actionKit, probeCommand, type Step } from '../../testing/action-kit.ts';
import { script } from './execute.ts';
import { agentConnection } from './fixtures/host.ts';
import { manifest } from './manifest.ts';

function kitOver(host: ReturnType<typeof fakeScriptHost>) {
  return actionKit(
    (command, context) =>
      script.execute(
        { ...command, type: 'script' },
        { ...context, ports: { scripts: host }, connection: agentConnection() },
      ),
    { manifest: { ...manifest, id: 'probe', connection: null, needs: [] } },
  );
}

const command = probeCommand(1, { params: { script: 'note' }, grants: ['action:probe'] });

test.each<[string, Step, number, string]>([
  ['x1: claimed, nothing sent', 'begin', 0, 'held'],
  ['x4: ended, not in the ledger', 'attempt', 1, 'succeeded'],
  ['x5: in the ledger, no result', 'finish', 1, 'suppressed'],
  ['x6: result written, not committed', 'end', 1, 'succeeded'],
])('%s', async (_, dieAfter, begun, status) => {
  const host = fakeScriptHost();
  const kit = kitOver(host);
  const dying = await kit.worker({ dieAfter });
  await kit.publish([command]);
  await kit.clock.advance(5_000);
  expect(dying.dead).toBe(true);
  await kit.worker();
  await kit.clock.advance(60_000);
  expect(host.begun.length).toBe(begun);
  expect(kit.finals()[0]).toMatchObject({ status });
  expect(kit.committed()).toBe(1);
});

test('x2, x3: killed while it runs: the next worker hears the end of the same run', async () => {
  const host = fakeScriptHost();
  host.answer('hang');
  const kit = kitOver(host);
  const dying = await kit.worker();
  await kit.publish([command]);
  await kit.clock.advance(5_000);
  await dying.crash();
  await kit.worker();
  await kit.clock.advance(30_000);
  expect([host.begun.length, kit.finals()]).toEqual([1, []]);
  await kit.publish([
    JSON.stringify({ kind: 'cancel', command_id: command.command_id, round: 1, reason: 'test', at: 0 }),
  ]);
  await kit.clock.advance(1_000);
  expect(kit.finals()).toMatchObject([{ code: 'cancelled_uncertain', possible_duplicate: true }]);
  expect(host.begun.length).toBe(1);
});

test('x1 where a repeat is allowed: what the host never heard of is begun', async () => {
  const host = fakeScriptHost();
  const kit = kitOver(host);
  await kit.worker({ dieAfter: 'begin' });
  await kit.publish([{ ...command, on_uncertain: 'retry' }]);
  await kit.clock.advance(5_000);
  await kit.worker();
  await kit.clock.advance(60_000);
  expect([host.begun.length, kit.finals()[0]?.status]).toEqual([1, 'succeeded']);
});

test('on_uncertain: hold does not even ask', async () => {
  const host = fakeScriptHost();
  const kit = kitOver(host);
  await kit.worker({ dieAfter: 'attempt' });
  await kit.publish([{ ...command, on_uncertain: 'hold' }]);
  await kit.clock.advance(5_000);
  await kit.worker();
  await kit.clock.advance(60_000);
  expect([host.begun.length, kit.finals()[0]?.status]).toEqual([1, 'held']);
});

test('without the grant nothing is begun', async () => {
  const host = fakeScriptHost();
  const kit = kitOver(host);
  await kit.worker();
  const { grants: _, ...ungranted } = command;
  await kit.publish([ungranted]);
  await kit.clock.advance(5_000);
  expect([host.begun.length, kit.finals()[0]?.code]).toEqual([0, 'denied']);
});
