// Carries out one GitLab command.
import { checked } from '../../domain/action/check-params.ts';
import { ticketAction } from '../../domain/action/ticket/action.ts';
import { explainGitLab } from './answers.ts';
import { manifest } from './manifest.ts';
import { checkGitLab, checkGitLabConnection, type GitLabParams } from './params.ts';
import { gitLabPlan } from './request.ts';

export const gitlab = checked({
  manifest,
  check: (params) => checkGitLab(params as unknown as GitLabParams),
  checkConnection: (_, connection) => checkGitLabConnection(connection),
  ...ticketAction({
    system: 'GitLab',
    plan: (command, _, now) => gitLabPlan(command, command.params as unknown as GitLabParams, now),
    explain: explainGitLab,
  }),
});
