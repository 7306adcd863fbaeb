// Conditions and cases of a workflow: as in the extension where CACAO still says the same, else as far as they can be told here.
//
// Invariant: what cannot be told is never guessed: a variable that nobody sets stands for it.
import type { PlaybookStep, StepCondition } from '@tocsin/schemas/types.ts';
import { isMap } from '../../rules/import/imported.ts';
import { exact, expressionOf, fromExpression, typed } from './conditions.ts';
import type { CacaoStep } from './document.ts';
import { variableIn, variableOf } from './names.ts';
import type { OwnStep } from './restore.ts';
import type { Walk, Warn } from './walk-state.ts';
import { simpleSwitch } from './write-workflow.ts';

export interface Condition {
  readonly when: StepCondition;
  /** Nobody here can tell: the step fails. */
  readonly blind: boolean;
}

export interface Asked {
  readonly step: CacaoStep;
  /** Name of the variable that the export used when the condition has no expression. */
  readonly fallback: string;
  /** The condition of the extension. */
  readonly ours: unknown;
  readonly warn: Warn;
}

/** The condition of a step; null: as in the extension. */
export function conditionOf({ known }: Walk, { step, fallback, ours, warn }: Asked): Condition | null {
  const text = step.condition ?? '';
  if (isMap(ours) && expressionOf(ours, fallback, variableOf).text === text) return null;
  const read = fromExpression(text, known);
  if (read !== null) return { when: read, blind: false };
  const name = variableName(fallback);
  warn(`its condition cannot be told here: it fails unless vars.${name} is set`);
  return { when: { [`vars.${name}`]: true }, blind: true };
}

function variableName(text: string): string {
  return `cacao_${text}`.replace(/[^A-Za-z0-9_]/g, '_');
}

export function failsBlind(condition: Condition | null): Partial<PlaybookStep> {
  return condition?.blind === true ? { onUnknown: 'fail' } : {};
}

export interface Case {
  readonly when: StepCondition;
  /** First step of its branch. */
  readonly first: string;
}

/** The cases of a switch in the order in which they are asked. */
export function casesOf(walk: Walk, step: CacaoStep, own: OwnStep | null, id: string): Case[] {
  const entries = new Map(Object.entries(step.cases ?? {}));
  const before = own?.members['switch'];
  const whens = (Array.isArray(before) ? before : []).filter(isMap);
  const simple = simpleSwitch(whens);
  const expected = simple === null ? variableOf(`switch_${own?.id ?? id}`) : variableOf(simple.path);
  const same = step.switch === `${expected}:value`;
  const keys = same ? whens.map((_, index) => simple?.values[index] ?? `case-${index}`) : [];
  const others = [...entries.keys()].filter((key) => key !== 'default' && !keys.includes(key));
  const foreign = foreignCase(walk, step, id);
  return [...keys.filter((key) => entries.has(key)), ...others].map((key) => ({
    when: whens[keys.indexOf(key)] ?? foreign(key),
    first: entries.get(key) as string,
  }));
}

function foreignCase(walk: Walk, step: CacaoStep, id: string): (key: string) => StepCondition {
  const { known } = walk;
  const variable = variableIn(step.switch ?? '') ?? '';
  const path = known.path(variable);
  if (path !== undefined) return (key) => ({ [path]: exact(typed(key, known.type(variable))) });
  return (key) => {
    const name = variableName(`${id}_${key}`);
    walk.tell(
      `switch ${id}: its case ${JSON.stringify(key)} cannot be told here: it holds when vars.${name} is set`,
    );
    return { [`vars.${name}`]: true };
  };
}
