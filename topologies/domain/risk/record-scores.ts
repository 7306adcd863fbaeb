// What the two risk actions share: everything but how their parameters become scores.
import type { Command } from '@tocsin/schemas/types.ts';
import type { RiskBatch, RiskStorePort } from '../../ports/risk-store.ts';
import type { Action } from '../action/define-action.ts';
import { isFailed, withTemplates } from '../action/fail.ts';
import type { Failed, Json, Outcome } from '../action/outcome.ts';
import { askStore } from '../action/record/ask-store.ts';
import { recordEvent } from '../action/record/event.ts';
import { objectKey, type RiskScore } from './score.ts';

export interface ScoreRequest {
  readonly scores: readonly RiskScore[];
  readonly warnings: readonly string[];
}

/** Warnings of one outcome: a set of many rows would repeat itself. */
const warningsMax = 50;
/** Scores that an outcome shows. */
const shownMax = 20;

export function batchOf(command: Command, { scores }: ScoreRequest): RiskBatch {
  const { rule } = command;
  return {
    command_id: command.command_id,
    tenant: command.tenant ?? '',
    rule:
      rule === undefined ? null : { id: rule.id, ...(rule.name === undefined ? {} : { name: rule.name }) },
    scores,
    eventOf: (score, total) =>
      recordEvent(command, {
        id: `${command.command_id}.risk.${scores.indexOf(score)}`,
        event: 'risk.scored',
        subject: objectKey(score.object),
        at: score.scored_at,
        data: {
          ...score,
          scored_at: new Date(score.scored_at).toISOString(),
          expires_at: score.expires_at === null ? null : new Date(score.expires_at).toISOString(),
          total,
        },
      }),
  };
}

/** Dry run and execution of an action that gives scores. `request` may throw TemplateError; `now` is epoch ms of the attempt. */
export function scoringAction(
  request: (command: Command, now: number) => ScoreRequest | Failed,
): Pick<Action, 'preview' | 'execute'> {
  const build = (command: Command, now: number) => withTemplates(() => request(command, now));
  return {
    preview(command, { now }) {
      const built = build(command, now);
      if (isFailed(built)) return built;
      const scores = built.scores.slice(0, shownMax) as unknown as Json;
      return done({ scores, count: built.scores.length }, built.warnings);
    },
    async execute(command, { now, ports }) {
      const { risks } = ports;
      if (risks === undefined) throw new TypeError(`${command.type} needs the risks port`);
      const built = build(command, now);
      return isFailed(built) ? built : recordScores(risks, command, built);
    },
  };
}

/** Has the scores kept once. Rejects with anything that is a defect. */
async function recordScores(store: RiskStorePort, command: Command, request: ScoreRequest): Promise<Outcome> {
  const scored = await askStore(() => store.record(batchOf(command, request)));
  if (isFailed(scored)) return scored;
  const shown = scored
    .slice(0, shownMax)
    .map(({ object, ...numbers }) => ({ object: { ...object }, ...numbers }));
  return done({ scores: shown, count: scored.length }, request.warnings);
}

function done(output: Json, warnings: readonly string[]): Outcome {
  const distinct = [...new Set(warnings)].slice(0, warningsMax);
  return { status: 'done', output, ...(distinct.length > 0 ? { warnings: distinct } : {}) };
}
