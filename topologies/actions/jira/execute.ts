// Carries out one Jira command.
import { checked } from '../../domain/action/check-params.ts';
import { ticketAction } from '../../domain/action/ticket/action.ts';
import { explainJira } from './answers.ts';
import { manifest } from './manifest.ts';
import { checkJira, checkJiraConnection, type JiraParams } from './params.ts';
import { jiraPlan } from './request.ts';

export const jira = checked({
  manifest,
  check: (params) => checkJira(params as JiraParams),
  checkConnection: (_, connection) => checkJiraConnection(connection),
  ...ticketAction({
    system: 'Jira',
    plan: (command, target, now) => jiraPlan(command, command.params as JiraParams, target, now),
    explain: explainJira,
  }),
});
