// The suite that every action type passes. What is special to a type is tested in its own folder.
//
// Invariant: a type touches only the ports that its manifest names, says the same thing twice for the same command, gives no output
// and no failure that its manifest does not state (stated.ts), and lets no secret out of the request.
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import { describe, expect, it } from 'vitest';
import { checkParams } from '../domain/action/check-params.ts';
import type { Action, PortName } from '../domain/action/define-action.ts';
import { DatabaseFailure } from '../ports/database.ts';
import { MailFailure } from '../ports/mail.ts';
import { effectsOf, usesOf } from '../testing/action-effects.ts';
import { type Fakes, fakes } from '../testing/action-fakes.ts';
import { type ContractFixture, canary, contractStage, rows } from '../testing/contract-stage.ts';
import { httpContract } from '../testing/http-contract.ts';
import { previewContract } from '../testing/preview-contract.ts';

export function contract(action: Action, fixture: ContractFixture): void {
  const { manifest } = action;
  const stage = contractStage(action, fixture);
  const { accepted, answering, command, needsConnection, run, uses } = stage;

  describe(`${manifest.id}: contract`, () => {
    it('describes itself: every parameter has a description and the id is its folder', () => {
      expect(fixture.folder.pathname.endsWith(`/${manifest.id}/`)).toBe(true);
      const properties = manifest.params['properties'] as Record<string, { description?: string }>;
      for (const [name, schema] of Object.entries(properties)) expect(schema.description, name).toBeTruthy();
      expect(manifest.params['additionalProperties']).toBe(false);
    });

    it('refuses an unknown parameter and names it', () => {
      expect(checkParams(action, { ...fixture.params, no_such_parameter: 1 })).toEqual([
        { path: '/no_such_parameter', message: 'unknown field' },
      ]);
    });

    it('has no effect with parameters that do not fit', async () => {
      const ports = answering();
      const outcome = await run(ports, { params: { ...fixture.params, no_such_parameter: 1 } });
      expect(outcome).toMatchObject({ status: 'failed', code: 'invalid_params', retry: 'never' });
      expect(effectsOf(ports)).toEqual(effectsOf(fakes()));
    });

    it('accepts every example of the manifest and of the README', () => {
      for (const { title, params } of manifest.examples)
        expect(checkParams(action, params), title).toEqual([]);
      const readme = readFileSync(new URL('README.md', fixture.folder), 'utf8');
      const blocks = [...readme.matchAll(/^```json params\n([\s\S]*?)^```$/gm)].map(
        ([, text]) => text as string,
      );
      expect(blocks.length).toBeGreaterThan(0);
      for (const block of blocks) expect(checkParams(action, JSON.parse(block)), block).toEqual([]);
    });

    it('works, and uses only the ports that it needs', async () => {
      const ports = answering();
      expect(checkDocument('command.json', command())).toEqual([]);
      expect(await run(ports)).toMatchObject({ status: 'done' });
      for (const [name, count] of Object.entries(usesOf(ports)))
        expect(count > 0, name).toBe(uses.includes(name as PortName));
    });

    it('sends the same twice for the same command, with the command id as its key', async () => {
      const [one, two] = [answering(), answering()];
      await run(one);
      await run(two, {}, { attempt: 2 });
      expect(effectsOf(two)).toEqual(effectsOf(one));
      const other = answering();
      await run(other, { command_id: 'ffffffffffffffffffffffffffffffff' });
      expect(effectsOf(other)).not.toEqual(effectsOf(one));
      if (manifest.idempotency === 'key')
        expect(inspect(effectsOf(one), { depth: 9 })).toContain(command().command_id);
    });

    it('begins at the start where it cannot read what an earlier attempt noted', async () => {
      const [one, two] = [answering(), answering()];
      await run(one);
      const progress = { of: ['another version'] };
      expect(await run(two, {}, { attempt: 2, progress })).toMatchObject({ status: 'done' });
      expect(effectsOf(two)).toEqual(effectsOf(one));
    });

    it('keeps secrets out of outcomes and of what is shown of them', async () => {
      const ports = answering();
      const outcomes = [await run(ports)];
      if (uses.includes('http')) {
        ports.http.answer(
          { status: 400, body: `you sent ${canary}` },
          { status: 302, headers: { location: `https://x/${canary}` } },
        );
        outcomes.push(await run(ports), await run(ports));
      }
      if (manifest.needs.includes('mail')) {
        ports.mail.fail(new MailFailure('auth', 'the server refused the credentials', { code: 535 }));
        outcomes.push(await run(ports));
      }
      if (manifest.needs.includes('database')) {
        ports.database.fail(new DatabaseFailure('auth', 'the server refused the credentials'));
        outcomes.push(await run(ports));
      }
      expect(`${inspect(outcomes, { depth: 9 })}${JSON.stringify(outcomes)}`).not.toContain(canary);
    });

    previewContract(stage);

    it('runs once as it says: one effect for the whole set, or one for the first row; otherwise one for each', async () => {
      const once = answering();
      await run(once, manifest.runOnce === 'all' ? { mode: 'all', row_index: 'all' } : firstOnly());
      const each = answering();
      for (const [index, row] of rows.entries())
        await run(each, {
          mode: 'each',
          row_index: index,
          subject: { rows: [row], total_rows: 3 },
          command_id: `${index}`.repeat(32),
        });
      // What is filed is also sent or recorded, or lies in the lake.
      const count = (ports: Fakes): number => {
        const { files: _, ...effects } = usesOf(ports);
        return Object.values(effects).reduce((sum, one) => sum + one, 0);
      };
      expect(count(each)).toBe(3);
      expect(count(once)).toBe(manifest.needs.includes('lineLog') ? 3 : 1);
    });

    const { missing } = fixture;
    if (missing !== null)
      it('names template fields that have no value', async () => {
        const outcome = await run(answering(), { params: { ...missing } });
        const text = outcome.status === 'done' ? (outcome.warnings ?? []).join('\n') : outcome.detail;
        expect(text).toContain('nowhere.to_be_found');
      });

    it('fails without its connection, and does not throw', async () => {
      if (!needsConnection)
        return expect(await run(answering(), {}, { connection: null })).toMatchObject({ status: 'done' });
      expect(await run(answering(), {}, { connection: null })).toMatchObject({
        status: 'failed',
        code: 'unknown_connection',
      });
    });

    if (uses.includes('http')) {
      httpContract(run, accepted);
    }
  });

  function firstOnly(): Partial<Command> {
    return {
      mode: 'first',
      row_index: 0,
      subject: { rows: [rows[0] as Record<string, unknown>], total_rows: 3 },
    };
  }
}
