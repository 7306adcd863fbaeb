// Carries out one webhook command: build the request, send it once, judge the answer.

import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { PreviewContext } from '../../domain/action/define-action.ts';
import { failed, isFailed, withTemplates } from '../../domain/action/fail.ts';
import { type HttpTarget, httpTarget } from '../../domain/action/http-target.ts';
import { judgeHttp, judgeHttpFailure } from '../../domain/action/judge-http.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import { shownRequest } from '../../domain/action/preview.ts';
import { keyOf } from '../../domain/delivery/sign.ts';
import { HttpFailure } from '../../ports/http.ts';
import { manifest } from './manifest.ts';
import { checkWebhook, checkWebhookConnection, type WebhookParams } from './params.ts';
import { type WebhookRequest, webhookRequest } from './request.ts';

export const webhook = checked({
  manifest,
  check: (params) => checkWebhook(params as WebhookParams),
  checkConnection: (params, connection) => checkWebhookConnection(params as WebhookParams, connection),
  preview(command, context) {
    const built = build(command, context);
    if (isFailed(built)) return built;
    return {
      status: 'done',
      output: shownRequest(built.request, built.target),
      ...(built.warnings.length > 0 ? { warnings: built.warnings } : {}),
    };
  },
  async execute(command, context): Promise<Outcome> {
    const { http } = context.ports;
    if (http === undefined) throw new TypeError('webhook needs the http port');
    const built = build(command, context);
    if (isFailed(built)) return built;
    const subject = `${built.request.method} ${built.target.origin}`;
    try {
      const response = await http.send({ ...built.request, signal: context.signal });
      const outcome = judgeHttp(response, { subject, now: context.now });
      return outcome.status === 'done' && built.warnings.length > 0
        ? { ...outcome, warnings: built.warnings }
        : outcome;
    } catch (error) {
      if (error instanceof HttpFailure) return judgeHttpFailure(error, subject);
      throw error;
    }
  },
});

type Built = WebhookRequest & { readonly target: HttpTarget };

function build(command: Command, context: PreviewContext): Built | Failed {
  const target = httpTarget(context.connection);
  if (isFailed(target)) return target;
  const keys = signingKeys(context);
  if (isFailed(keys)) return keys;
  const params = command.params as WebhookParams;
  const built = withTemplates(() => webhookRequest({ command, params, target, keys, now: context.now }));
  return isFailed(built) ? built : { ...built, target };
}

function signingKeys({ connection }: PreviewContext): Buffer[] | Failed {
  const keys: Buffer[] = [];
  for (const name of ['hmac', 'hmac_previous']) {
    const secret = connection?.secrets[name]?.reveal();
    if (secret === undefined) continue;
    const key = keyOf(secret);
    if (key === null)
      return failed(
        'secret',
        `secrets.${name} must be whsec_ and base64, or text, of at least 16 bytes`,
        'pause',
      );
    keys.push(key);
  }
  return keys;
}
