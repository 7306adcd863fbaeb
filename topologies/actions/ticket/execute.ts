// Carries out one command of the generic ticket action.
import { checked } from '../../domain/action/check-params.ts';
import { ticketAction } from '../../domain/action/ticket/action.ts';
import { manifest } from './manifest.ts';
import { checkTicket, checkTicketConnection, type GenericParams } from './params.ts';
import { explainTicket, ticketPlan } from './request.ts';

export const ticket = checked({
  manifest,
  check: (params) => checkTicket(params as GenericParams),
  checkConnection: (_, connection) => checkTicketConnection(connection),
  ...ticketAction({
    system: 'the ticket system',
    plan: (command, _, now) => ticketPlan(command, command.params as GenericParams, now),
    explain: explainTicket,
  }),
});
