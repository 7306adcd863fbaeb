// What every action shows in a dry run: what an attempt would send, without its secrets, and the failures that come before it.
import { expect, it } from 'vitest';
import type { ActionContext } from '../domain/action/define-action.ts';
import { sentTexts } from './action-effects.ts';
import { contractNow, fakes } from './action-fakes.ts';
import { type ContractStage, canary } from './contract-stage.ts';

/** Tests. */
export function previewContract(stage: ContractStage): void {
  const { action, fixture, answering, command, connection, needsConnection, run } = stage;

  it('a dry run shows what would be sent: nothing leaves, no secret is shown, the same for the same command', async () => {
    const dry = () => action.preview(command({ dry_run: true }), { connection, now: contractNow });
    // Whatever opens something has no port to open it with: a preview is given none.
    const outcome = dry();
    expect(outcome).toMatchObject({ status: 'done', output: expect.anything() });
    const text = JSON.stringify(outcome);
    expect(text).not.toContain(canary);
    // Nor in another spelling, as in a basic authorization.
    for (const part of text.matchAll(/[A-Za-z0-9+/=_-]{16,}/g))
      expect(Buffer.from(part[0], 'base64').toString('latin1')).not.toContain(canary);
    expect(dry()).toEqual(outcome);
    const ports = answering();
    await run(ports);
    for (const text of sentTexts(ports))
      expect(JSON.stringify(outcome)).toContain(JSON.stringify(text).slice(1, -1));
  });

  it('a dry run fails as an attempt does that fails before it sends', async () => {
    const preview = (params: Readonly<Record<string, unknown>>, over: Partial<ActionContext> = {}) =>
      action.preview(command({ params }), { connection, now: contractNow, ...over });
    const misfit = { ...fixture.params, no_such_parameter: 1 };
    expect(preview(misfit)).toEqual(await run(fakes(), { params: misfit }));
    if (needsConnection)
      expect(preview(fixture.params, { connection: null })).toEqual(
        await run(fakes(), {}, { connection: null }),
      );
    for (const name of fixture.secrets) {
      const { [name]: _, ...others } = connection?.secrets ?? {};
      const without = connection && { ...connection, secrets: others };
      const ports = fakes();
      const outcome = await run(ports, {}, { connection: without });
      if (outcome.status === 'failed' && sentTexts(ports).length === 0)
        expect(preview(fixture.params, { connection: without })).toEqual(outcome);
    }
  });
}
