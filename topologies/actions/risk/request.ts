// Builds the scores of one risk command: a pure function of command, parameters and time.
//
// Surprise: over a whole set (mode all) every object scores once, for its first row; rows without an object are left out with a warning.
import type { Command } from '@tocsin/schemas/types.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import { causedAt } from '../../domain/action/record/event.ts';
import { writeAdditional, writerWithLocals } from '../../domain/action/record/fields.ts';
import { indexNamed } from '../../domain/risk/index-name.ts';
import type { ScoreRequest } from '../../domain/risk/record-scores.ts';
import {
  objectKey,
  type RiskScore,
  riskLimits,
  writeNumber,
  writeObjectId,
} from '../../domain/risk/score.ts';
import { expiryOf } from '../../domain/risk/scoring-type.ts';
import { type Row, rowsOf } from '../../domain/templates/view.ts';
import type { RiskParams } from './params.ts';

/** `now` is epoch ms of this attempt. Throws TemplateError. */
export function riskRequest(command: Command, params: RiskParams, now: number): ScoreRequest | Failed {
  const warnings: string[] = [];
  if (command.mode !== 'all') {
    const score = scoreOf(command, params, now, undefined, warnings);
    return isFailed(score) ? score : { scores: [score], warnings };
  }
  const scores = new Map<string, RiskScore>();
  let refused: Failed | null = null;
  for (const row of rowsOf(command)) {
    const score = scoreOf(command, params, now, row, warnings);
    if (isFailed(score)) {
      refused ??= score;
      warnings.push(`${score.detail}; its row has no score`);
      continue;
    }
    const key = objectKey(score.object);
    if (!scores.has(key)) scores.set(key, score);
    if (scores.size > riskLimits.objects)
      return failed('too_large', `object/id: more than ${riskLimits.objects} objects in one command`);
  }
  if (scores.size === 0) return refused ?? failed('template', 'object/id: there are no rows');
  return { scores: [...scores.values()], warnings };
}

function scoreOf(
  command: Command,
  params: RiskParams,
  now: number,
  row: Row | undefined,
  warnings: string[],
): RiskScore | Failed {
  const writer = writerWithLocals(command, undefined, now, row);
  const id = writeObjectId(writer, 'object/id', params.object.id);
  if (isFailed(id)) return id;
  const limits = { min: -riskLimits.score, max: riskLimits.score };
  const score = writeNumber(writer, 'score', params.score, limits);
  if (isFailed(score)) return score;
  const at = causedAt(command);
  const rows = row === undefined ? rowsOf(command) : [row];
  const fields = writeAdditional(writer, params.result_fields, rows, 'result_fields');
  warnings.push(...writer.warnings);
  return {
    object: { type: params.object.type, id },
    kind: 'risk',
    name: null,
    scoring_type: params.scoring_type ?? 'default',
    score,
    fidelity: 1,
    effective: score,
    index: indexNamed(params.index, at),
    fields,
    row_index: command.row_index === 'all' || command.subject.rows === undefined ? null : command.row_index,
    scored_at: at,
    expires_at: expiryOf(params, at),
  };
}
