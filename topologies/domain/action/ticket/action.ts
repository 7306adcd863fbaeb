// The two functions of a ticket action around its plan: the first requests in a dry run, all of them in an attempt.
import type { Command } from '@tocsin/schemas/types.ts';
import type { ActionContext, PreviewContext } from '../define-action.ts';
import { isFailed, withTemplates } from '../fail.ts';
import { type HttpTarget, httpTarget } from '../http-target.ts';
import type { Failed, Outcome } from '../outcome.ts';
import { previewPlan, runPlan } from './run.ts';
import type { Explain, Plan } from './system.ts';

export interface TicketRules {
  /** Name of the system in messages. */
  readonly system: string;
  /** Throws TemplateError. `now`: epoch ms of the attempt. */
  readonly plan: (command: Command, target: HttpTarget, now: number) => Plan | Failed;
  readonly explain: Explain;
}

interface Prepared {
  readonly target: HttpTarget;
  readonly plan: Plan;
}

function prepare(rules: TicketRules, command: Command, context: PreviewContext): Prepared | Failed {
  const target = httpTarget(context.connection);
  if (isFailed(target)) return target;
  const plan = withTemplates(() => rules.plan(command, target, context.now));
  return isFailed(plan) ? plan : { target, plan };
}

export function ticketAction(rules: TicketRules): {
  preview(command: Command, context: PreviewContext): Outcome;
  execute(command: Command, context: ActionContext): Promise<Outcome>;
} {
  return {
    preview(command, context) {
      const prepared = prepare(rules, command, context);
      return isFailed(prepared) ? prepared : previewPlan(prepared.plan, prepared);
    },
    async execute(command, context) {
      const { http } = context.ports;
      if (http === undefined) throw new TypeError(`${rules.system} needs the http port`);
      const prepared = prepare(rules, command, context);
      if (isFailed(prepared)) return prepared;
      const { target, plan } = prepared;
      try {
        return await runPlan(plan, { http, target, context, system: rules.system, explain: rules.explain });
      } catch (error) {
        // Steps on a ticket are rendered when it is known.
        return withTemplates<Outcome>(() => {
          throw error;
        });
      }
    },
  };
}
