// Carries out one webhook command: build the request, send it once, judge the answer.

import { checked } from '../../domain/action/check-params.ts';
import type { ActionContext } from '../../domain/action/define-action.ts';
import { failed, isFailed, withTemplates } from '../../domain/action/fail.ts';
import { httpTarget } from '../../domain/action/http-target.ts';
import { judgeHttp, judgeHttpFailure } from '../../domain/action/judge-http.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import { HttpFailure } from '../../ports/http.ts';
import { manifest } from './manifest.ts';
import { checkWebhook, checkWebhookConnection, type WebhookParams } from './params.ts';
import { webhookRequest } from './request.ts';
import { keyOf } from './sign.ts';

export const webhook = checked({
  manifest,
  check: (params) => checkWebhook(params as WebhookParams),
  checkConnection: (params, connection) => checkWebhookConnection(params as WebhookParams, connection),
  async execute(command, context): Promise<Outcome> {
    const { http } = context.ports;
    if (http === undefined) throw new TypeError('webhook needs the http port');
    const params = command.params as WebhookParams;
    const target = httpTarget(context.connection);
    if (isFailed(target)) return target;
    const keys = signingKeys(context);
    if (isFailed(keys)) return keys;
    const built = withTemplates(() => webhookRequest({ command, params, target, keys, now: context.now }));
    if (isFailed(built)) return built;
    const subject = `${built.request.method} ${target.origin}`;
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

function signingKeys({ connection }: ActionContext): Buffer[] | Failed {
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
