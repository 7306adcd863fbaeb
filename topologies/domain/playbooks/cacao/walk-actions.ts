// Action steps of a workflow as steps of ours.
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { commandsOf } from './commands.ts';
import type { CacaoStep } from './document.ts';
import { foreignCommand } from './foreign.ts';
import { toTemplate, variableOf } from './names.ts';
import { places } from './places.ts';
import { commonOf, type OwnStep, rebuild } from './restore.ts';
import { idFor, type List, saidOf, type Walk, type Warn } from './walk-state.ts';

/** The steps of ours that an action step is: what its extension says, or one for each of its commands. */
export function actionSteps(
  walk: Walk,
  list: List,
  at: string,
  step: CacaoStep,
  own: OwnStep | null,
): PlaybookStep[] {
  const warn = walk.warner(at);
  const said = saidOf(list, step);
  const agent = walk.cacao.agent_definitions?.[step.agent ?? ''];
  if (own !== null) {
    const same = { id: own.id, ...rebuild(own, {}) } as PlaybookStep;
    const expected = commandsOf(same, variableOf);
    const unchanged =
      JSON.stringify(expected.commands) === JSON.stringify(step.commands) &&
      agent?.type === expected.agent.type &&
      agent.name === expected.agent.name;
    if (unchanged) {
      const { name: _, description: __, delay: ___, deadline: ____, when, ...rest } = rebuild(own, {});
      const id = walk.place(list, at, own.id);
      walk.record(places.agent(`${agent.type}:${agent.name}`), step.agent ?? '');
      if (when !== undefined && list.wrapper === undefined) warn('the condition around it is gone');
      return [{ id, ...commonOf(own.id, own.members, said, warn), ...rest }];
    }
    warn('its commands were changed: they count, its extension does not');
  }
  const name = step.name ?? step.description ?? 'step';
  const template = (text: string): string => toTemplate(text, walk.known.path);
  const made = (step.commands ?? []).map((command, index): PlaybookStep => {
    const id = index === 0 ? walk.place(list, at, idFor(step, at)) : walk.fresh(idFor(step, at));
    const what = foreignCommand(command, name, { agent, template, warn });
    const { delay, ...common } = commonOf(id, null, said, warn);
    const decides =
      what.approve !== undefined && index + 1 === step.commands?.length ? outcome(walk, step, id, warn) : {};
    return { id, ...common, ...(index === 0 && delay !== undefined ? { delay } : {}), ...what, ...decides };
  });
  if (step.targets !== undefined) warn('its targets are not imported');
  return made;
}

/** A manual command that answers yes or no: the variable is whether it was approved. */
function outcome(walk: Walk, step: CacaoStep, id: string, warn: Warn): Partial<PlaybookStep> {
  const [name, ...more] = step.out_args ?? [];
  if (name === undefined) return {};
  if (more.length > 0 || walk.known.type(name) !== 'bool') {
    warn('its out_args are not imported');
    return {};
  }
  walk.decided.set(name, `steps.${id}.outputs.approved`);
  return { onReject: 'continue' };
}
