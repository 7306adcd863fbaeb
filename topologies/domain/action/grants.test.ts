// The way of a grant: from what was saved, through rules and playbooks, to the command that is carried out or denied.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import { actionKit, probeCommand, probeManifest } from '../../testing/action-kit.ts';
import { createConfigFold } from '../config/config-table.ts';
import { decide } from '../evaluate/decide.ts';
import { action, eventInput, finding, manifests, rule, run, searchInput } from '../evaluate/fixtures.ts';
import { buildTables } from '../evaluate/tables.ts';
import { stage } from '../playbooks/play-kit.ts';
import type { ActionManifest } from './define-action.ts';

const privileged: ActionManifest = { ...probeManifest, privileged: true };
const grant = ['action:probe'];

/** Tables of a rule over `event` or rows, with what its record and that of its action say about grants. */
function tablesWith(
  grants: { readonly rule?: string[]; readonly action?: string[] },
  more: Parameters<typeof rule>[2] = {},
  manifest: ActionManifest = privileged,
) {
  const { table, apply } = createConfigFold();
  const record = (document: object, held: string[] | undefined) => {
    const value = {
      v: 1,
      revision: 1,
      updated_at: 0,
      ...(held === undefined ? {} : { grants: held }),
      document,
    };
    expect(checkDocument('config-record.json', value)).toEqual([]);
    const { kind, id } = document as { kind: string; id: string };
    expect(apply(`${kind}/${id}`, value as never).problem).toBeUndefined();
  };
  record(action('probe'), grants.action);
  record(rule('r', [{ action: 'probe', mode: 'all' }], more), grants.rule);
  return buildTables(table, new Map([...manifests, ['probe', manifest]]));
}

const decided = (...given: Parameters<typeof tablesWith>): Command => {
  const [command] = decide(eventInput({ id: 'e', ...finding }), tablesWith(...given)).commands;
  expect(checkDocument('command.json', command)).toEqual([]);
  return command as Command;
};

async function carriedOut(command: Command, manifest: ActionManifest = privileged) {
  const kit = actionKit(() => ({ status: 'done' }), { manifest, partitions: 4 });
  await kit.worker();
  await kit.publish([command]);
  await kit.clock.advance(60_000);
  const [result] = kit.finals();
  return {
    calls: kit.calls.length,
    status: result?.status,
    code: result?.code,
    detail: result?.detail,
    letters: kit.letters().length,
  };
}

const done = { calls: 1, status: 'succeeded', code: undefined, detail: undefined, letters: 0 };
const denied = { calls: 0, status: 'failed', code: 'denied', letters: 1 };

describe('a rule', () => {
  test.each([
    ['rule and action were saved with the grant', { rule: grant, action: grant }, grant],
    ['both are files of a folder', { rule: ['admin'], action: ['admin'] }, grant],
    ['the rule was saved without', { action: grant }, undefined],
    ['the action was saved without', { rule: grant }, undefined],
    ['the grant is for another type', { rule: ['action:probes'], action: grant }, undefined],
  ])('T23: %s', async (_, grants, expected) => {
    const command = decided(grants);
    expect(command.grants).toEqual(expected);
    expect(await carriedOut(command)).toMatchObject(expected === undefined ? denied : done);
  });

  test('hands the grant on through the collector too', () => {
    const input = searchInput(run([{ host: 'a' }], { chunk: 0, chunks: 2 }));
    const { collected } = decide(
      input,
      tablesWith({ rule: grant, action: grant }, { source: 'search-results' }),
    );
    expect(collected.map(({ chunk }) => chunk.template.grants)).toEqual([grant]);
    for (const { chunk } of collected) expect(checkDocument('collection-input.json', chunk)).toEqual([]);
  });

  test('of a type that is not privileged says nothing of grants and needs none', async () => {
    const command = decided({ rule: ['admin'], action: ['admin'] }, {}, probeManifest);
    expect(command).not.toHaveProperty('grants');
    expect(await carriedOut(command, probeManifest)).toMatchObject(done);
  });
});

describe('a playbook', () => {
  const commandsOf = (grants?: string[]): readonly Command[] => {
    const steps = [
      { id: 'a', action: { type: 'probe', params: {} } },
      { id: 'b', action: 'mail' },
    ];
    const played = stage(steps, {}, {}, grants);
    played.start();
    played.answer('a');
    for (const command of played.commands) expect(checkDocument('command.json', command)).toEqual([]);
    return played.commands;
  };

  test('T23: hands on the grant of its version, to commands of that type alone', async () => {
    const [probe, mail] = commandsOf(grant);
    expect([probe?.grants, mail?.grants]).toEqual([grant, undefined]);
    expect(await carriedOut(probe as Command)).toMatchObject(done);
  });

  test('T23: without one its commands are denied', async () => {
    const [probe] = commandsOf();
    expect(probe?.grants).toBeUndefined();
    expect(await carriedOut(probe as Command)).toMatchObject(denied);
  });
});

test('T23: a denied command says which grant is missing, is not tried again, and a dry run is denied likewise', async () => {
  const refused = await carriedOut(probeCommand(1));
  expect(refused.detail).toContain('action:probe');
  const dry = await carriedOut(probeCommand(2, { dry_run: true }));
  expect([dry.calls, dry.code]).toEqual([0, 'denied']);
});
