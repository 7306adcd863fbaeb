// Carries out one Mattermost command: build the post, send it once, judge the answer.
import { checked } from '../../domain/action/check-params.ts';
import { exchange, postRequest, previewPost, withWarnings } from '../../domain/action/exchange.ts';
import { isFailed, withTemplates } from '../../domain/action/fail.ts';
import { httpTarget } from '../../domain/action/http-target.ts';
import type { Outcome } from '../../domain/action/outcome.ts';
import { judgeCreate, judgeHook } from './judge.ts';
import { manifest } from './manifest.ts';
import { checkMattermost, checkMattermostConnection, type MattermostParams } from './params.ts';
import { mattermostPost } from './request.ts';

export const mattermost = checked({
  manifest,
  check: (params) => checkMattermost(params as MattermostParams),
  checkConnection: (params, connection) => checkMattermostConnection(params as MattermostParams, connection),
  preview: (command, context) =>
    previewPost(
      httpTarget(context.connection),
      (target, now) =>
        withTemplates(() => mattermostPost(command, command.params as MattermostParams, target, now)),
      context,
    ),
  async execute(command, context): Promise<Outcome> {
    const { http } = context.ports;
    if (http === undefined) throw new TypeError('mattermost needs the http port');
    const target = httpTarget(context.connection);
    if (isFailed(target)) return target;
    const post = withTemplates(() =>
      mattermostPost(command, command.params as MattermostParams, target, context.now),
    );
    if (isFailed(post)) return post;
    const options = { subject: `POST ${target.origin}`, now: context.now };
    const judge = post.path === null ? judgeHook : judgeCreate;
    const outcome = await exchange(http, postRequest(target, post), context, (response) =>
      judge(response, options),
    );
    return withWarnings(outcome, post.warnings);
  },
});
