// The steps that parameters ask for on a ticket that is there: changes and their comment, and what `dedupe` does to an open one.
import type { Escape } from '../../templates/escape.ts';
import { failed, isFailed } from '../fail.ts';
import type { Failed } from '../outcome.ts';
import { operationOf, type TicketParams } from './params.ts';
import { type Writer, writeText } from './render.ts';
import type { Call, ChangePlan, Step, Ticket } from './system.ts';

export interface CommentRules {
  readonly escape: Escape;
  /** UTF-16 units that the system takes. */
  readonly max: number;
  readonly step: (text: string) => Step;
}

export interface ChangeParts {
  readonly ref: string;
  readonly get: Call<Ticket>;
  /** What comes before the comment. */
  readonly steps: readonly Step[];
  readonly comment: CommentRules;
}

/** The plan of an update, transition or comment. A ticket that is moved may be closed. Throws TemplateError. */
export function changePlanOf(writer: Writer, params: TicketParams, parts: ChangeParts): ChangePlan | Failed {
  const comments = commentSteps(writer, params, parts.comment);
  if (isFailed(comments)) return comments;
  return {
    operation: operationOf(params) as ChangePlan['operation'],
    ref: parts.ref,
    get: parts.get,
    failsWhenClosed: params.transition === undefined && params.on_closed !== 'proceed',
    steps: [...parts.steps, ...comments],
    warnings: writer.warnings,
  };
}

function commentSteps(writer: Writer, params: TicketParams, rules: CommentRules): Step[] | Failed {
  if (params.comment === undefined) return [];
  const text = writeText(writer, 'comment', params.comment, rules.escape, rules.max);
  return text.trim() === '' ? failed('template', 'comment: renders to nothing') : [rules.step(text)];
}

/** Without a text of its own the comment says what the ticket would have said. Throws TemplateError. */
export function openSteps(
  writer: Writer,
  { dedupe }: TicketParams,
  rules: CommentRules & { readonly description: string; readonly update: () => Step },
): Step[] {
  if (dedupe === undefined || dedupe.on_found === 'nothing') return [];
  if (dedupe.on_found === 'update') return [rules.update()];
  const own =
    dedupe.comment === undefined
      ? ''
      : writeText(writer, 'dedupe/comment', dedupe.comment, rules.escape, rules.max);
  return [rules.step(own.trim() === '' ? rules.description.slice(0, rules.max) : own)];
}
