// Carries out one ServiceNow command.
import { checked } from '../../domain/action/check-params.ts';
import { ticketAction } from '../../domain/action/ticket/action.ts';
import { explainServiceNow } from './answers.ts';
import { manifest } from './manifest.ts';
import { checkServiceNow, checkServiceNowConnection, type ServiceNowParams } from './params.ts';
import { serviceNowPlan } from './request.ts';

export const servicenow = checked({
  manifest,
  check: (params) => checkServiceNow(params as ServiceNowParams),
  checkConnection: (_, connection) => checkServiceNowConnection(connection),
  ...ticketAction({
    system: 'ServiceNow',
    plan: (command, target, now) => serviceNowPlan(command, command.params as ServiceNowParams, target, now),
    explain: explainServiceNow,
  }),
});
