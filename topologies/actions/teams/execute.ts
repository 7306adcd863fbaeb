// Carries out one Teams command: build the card, post it once, judge the answer.
import { checked } from '../../domain/action/check-params.ts';
import { exchange, postRequest, previewPost, withWarnings } from '../../domain/action/exchange.ts';
import { isFailed, withTemplates } from '../../domain/action/fail.ts';
import { httpTarget } from '../../domain/action/http-target.ts';
import type { Outcome } from '../../domain/action/outcome.ts';
import { judgeTeams } from './judge.ts';
import { manifest } from './manifest.ts';
import { checkTeams, checkTeamsConnection, type TeamsParams } from './params.ts';
import { teamsMessage } from './request.ts';

export const teams = checked({
  manifest,
  check: (params) => checkTeams(params as TeamsParams),
  checkConnection: (_params, connection) => checkTeamsConnection(connection),
  preview: (command, context) =>
    previewPost(
      httpTarget(context.connection),
      (_target, now) => withTemplates(() => teamsMessage(command, command.params as TeamsParams, now)),
      context,
    ),
  async execute(command, context): Promise<Outcome> {
    const { http } = context.ports;
    if (http === undefined) throw new TypeError('teams needs the http port');
    const target = httpTarget(context.connection);
    if (isFailed(target)) return target;
    const message = withTemplates(() => teamsMessage(command, command.params as TeamsParams, context.now));
    if (isFailed(message)) return message;
    const options = { subject: `POST ${target.origin}`, now: context.now };
    const outcome = await exchange(http, postRequest(target, message), context, (response) =>
      judgeTeams(response, options),
    );
    return withWarnings(outcome, message.warnings);
  },
});
