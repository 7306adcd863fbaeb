// Builds the scores of one MITRE ATT&CK risk command: a pure function of command, parameters and time.
import type { Command } from '@tocsin/schemas/types.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import { causedAt } from '../../domain/action/record/event.ts';
import { writeAdditional, writerWithLocals } from '../../domain/action/record/fields.ts';
import { type Writer, writeLine } from '../../domain/action/ticket/render.ts';
import { indexNamed } from '../../domain/risk/index-name.ts';
import type { ScoreRequest } from '../../domain/risk/record-scores.ts';
import {
  effectiveScore,
  type RiskScore,
  riskLimits,
  writeNumber,
  writeObjectId,
} from '../../domain/risk/score.ts';
import { expiryOf } from '../../domain/risk/scoring-type.ts';
import { lookup } from '../../domain/templates/lookup.ts';
import { rowsOf } from '../../domain/templates/view.ts';
import { type Category, categoriesOf, type MitreRiskParams } from './params.ts';

/** Fields that name the entity where the author says nothing. */
export const entityNames: Readonly<Record<Category, readonly string[]>> = {
  system: ['host.name', 'host', 'asset.name'],
  user: ['user.name', 'user'],
};

/**
 * One score for each category that has an entity; without any it fails. In mode all that is the entity of the first row. `now` is epoch
 * ms of this attempt. Throws TemplateError.
 */
export function mitreRiskRequest(
  command: Command,
  params: MitreRiskParams,
  now: number,
): ScoreRequest | Failed {
  const writer = writerWithLocals(command, undefined, now);
  const limits = { min: -riskLimits.score, max: riskLimits.score };
  const score = writeNumber(writer, 'score', params.score, limits);
  if (isFailed(score)) return score;
  const fidelity = writeNumber(writer, 'fidelity', params.fidelity ?? 1, { min: 0, max: 1 });
  if (isFailed(fidelity)) return fidelity;
  const at = causedAt(command);
  const { action, row_index, subject } = command;
  const fields = writeAdditional(writer, params.additional_fields, rowsOf(command));
  const name = params.name === undefined ? '' : writeLine(writer, 'name', params.name, 256);
  const scores: RiskScore[] = [];
  let refused: Failed | null = null;
  for (const type of categoriesOf(params)) {
    const id = entityOf(writer, type, params);
    if (isFailed(id)) {
      refused ??= id;
      writer.warnings.push(`${id.detail}; there is no score for the ${type}`);
      continue;
    }
    scores.push({
      object: { type, id },
      kind: 'mitre-risk',
      name: name === '' ? (action.name ?? action.id) : name,
      scoring_type: params.scoring_type ?? 'default',
      score,
      fidelity,
      effective: effectiveScore(score, fidelity),
      index: indexNamed(params.index ?? '.smos_risk-{yyyy}.{MM}', at),
      fields,
      row_index: row_index === 'all' || subject.rows === undefined ? null : row_index,
      scored_at: at,
      expires_at: expiryOf(params, at),
    });
  }
  if (scores.length === 0 && refused !== null) return refused;
  return { scores, warnings: writer.warnings };
}

function entityOf(
  writer: Writer,
  category: Category,
  { entity_fields = {} }: MitreRiskParams,
): string | Failed {
  const field = `entity_fields/${category}`;
  const template = entity_fields[category];
  if (template !== undefined) return writeObjectId(writer, field, template);
  const name = entityNames[category].find((one) => {
    const value = lookup(one, writer.views);
    return (typeof value === 'string' && value.trim() !== '') || typeof value === 'number';
  });
  return name === undefined
    ? failed('template', `${field}: none of ${entityNames[category].join(', ')} has a value`)
    : writeObjectId(writer, field, `{{${name}}}`);
}
