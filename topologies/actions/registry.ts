// The action types that exist, alphabetical; a new type is its folder and one line here.
import type { Action, ActionManifest } from '../domain/action/define-action.ts';
import { database } from './database/execute.ts';
import { email } from './email/execute.ts';
import { exportAction } from './export/execute.ts';
import { gitlab } from './gitlab/execute.ts';
import { incident } from './incident/execute.ts';
import { index } from './index/execute.ts';
import { jira } from './jira/execute.ts';
import { log } from './log/execute.ts';
import { mattermost } from './mattermost/execute.ts';
import { mitre } from './mitre/execute.ts';
import { mitreRisk } from './mitre-risk/execute.ts';
import { pagerduty } from './pagerduty/execute.ts';
import { report } from './report/execute.ts';
import { rescan } from './rescan/execute.ts';
import { risk } from './risk/execute.ts';
import { runJob } from './run-job/execute.ts';
import { script } from './script/execute.ts';
import { servicenow } from './servicenow/execute.ts';
import { slack } from './slack/execute.ts';
import { tag } from './tag/execute.ts';
import { teams } from './teams/execute.ts';
import { ticket } from './ticket/execute.ts';
import { webhook } from './webhook/execute.ts';

export const actions = {
  database,
  email,
  export: exportAction,
  gitlab,
  incident,
  index,
  jira,
  log,
  mattermost,
  mitre,
  'mitre-risk': mitreRisk,
  pagerduty,
  report,
  rescan,
  risk,
  'run-job': runJob,
  script,
  servicenow,
  slack,
  tag,
  teams,
  ticket,
  webhook,
} satisfies Record<string, Action>;

export type ActionType = keyof typeof actions;

/** What the types say of themselves, by id. */
export const manifests: ReadonlyMap<string, ActionManifest> = new Map(
  Object.values(actions).map(({ manifest }) => [manifest.id, manifest]),
);
