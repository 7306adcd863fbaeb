// Carries out one PagerDuty command: build the event, send it once, judge the answer.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { PreviewContext } from '../../domain/action/define-action.ts';
import {
  exchange,
  type JsonPost,
  postRequest,
  previewPost,
  withWarnings,
} from '../../domain/action/exchange.ts';
import { failed, isFailed, withTemplates } from '../../domain/action/fail.ts';
import { httpTarget } from '../../domain/action/http-target.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import { judgePagerduty } from './judge.ts';
import { manifest } from './manifest.ts';
import { checkPagerduty, checkPagerdutyConnection, type PagerdutyParams } from './params.ts';
import { pagerdutyEvent } from './request.ts';

export const pagerduty = checked({
  manifest,
  check: (params) => checkPagerduty(params as PagerdutyParams),
  checkConnection: (_params, connection) => checkPagerdutyConnection(connection),
  preview: (command, context) =>
    previewPost(
      httpTarget(context.connection),
      (_target, now) => {
        const key = routingKeyOf(context);
        return isFailed(key) ? key : eventOf(command, '[secret]', now);
      },
      context,
    ),
  async execute(command, context): Promise<Outcome> {
    const { http } = context.ports;
    if (http === undefined) throw new TypeError('pagerduty needs the http port');
    const target = httpTarget(context.connection);
    if (isFailed(target)) return target;
    const routingKey = routingKeyOf(context);
    if (isFailed(routingKey)) return routingKey;
    const event = eventOf(command, routingKey, context.now);
    if (isFailed(event)) return event;
    const options = { subject: `POST ${target.origin}`, now: context.now, routingKey };
    const outcome = await exchange(http, postRequest(target, event), context, (response) =>
      judgePagerduty(response, options),
    );
    return withWarnings(outcome, event.warnings);
  },
});

function routingKeyOf({ connection }: PreviewContext): string | Failed {
  const key = connection?.secrets['routing_key']?.reveal().trim() ?? '';
  return key === ''
    ? failed('secret', `connection ${connection?.config.id}: secrets.routing_key is missing`, 'pause')
    : key;
}

function eventOf(command: Command, routingKey: string, now: number): JsonPost | Failed {
  return withTemplates(() => pagerdutyEvent(command, command.params as PagerdutyParams, routingKey, now));
}
