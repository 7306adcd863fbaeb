// Carries out one index command: build the bulk request, send it once, judge every document.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { PreviewContext } from '../../domain/action/define-action.ts';
import { exchange, withWarnings } from '../../domain/action/exchange.ts';
import { isFailed, withTemplates } from '../../domain/action/fail.ts';
import { type HttpTarget, httpTarget } from '../../domain/action/http-target.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import { shownRequest } from '../../domain/action/preview.ts';
import { judgeBulk } from './judge.ts';
import { manifest } from './manifest.ts';
import { checkIndex, checkIndexConnection, type IndexParams } from './params.ts';
import { type IndexRequest, indexRequest } from './request.ts';

export const index = checked({
  manifest,
  check: (params) => checkIndex(params as unknown as IndexParams),
  checkConnection: (_params, connection) => checkIndexConnection(connection),
  preview(command, context) {
    const built = build(command, context);
    if (isFailed(built)) return built;
    return withWarnings(
      { status: 'done', output: shownRequest(built.request, built.target) },
      built.warnings,
    );
  },
  async execute(command, context): Promise<Outcome> {
    const { http } = context.ports;
    if (http === undefined) throw new TypeError('index needs the http port');
    const built = build(command, context);
    if (isFailed(built)) return built;
    const { request, documents, warnings, target } = built;
    // An empty bulk request is an error to the servers.
    if (documents === 0) return { status: 'done', output: { written: 0 } };
    const options = { subject: `POST ${target.origin}`, now: context.now, documents };
    const outcome = await exchange(http, request, context, (response) => judgeBulk(response, options));
    return withWarnings(outcome, warnings);
  },
});

function build(
  command: Command,
  context: PreviewContext,
): (IndexRequest & { readonly target: HttpTarget }) | Failed {
  const target = httpTarget(context.connection);
  if (isFailed(target)) return target;
  const params = command.params as unknown as IndexParams;
  const built = withTemplates(() => indexRequest(command, params, target, context.now));
  return isFailed(built) ? built : { ...built, target };
}
