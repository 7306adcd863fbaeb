// What the variables of a CACAO playbook are here: vars, or params where the caller gives the value; or the paths of our own export.
import { isMap } from '../../rules/import/imported.ts';
import type { CacaoPlaybook, Variable } from './document.ts';
import { isPath } from './names.ts';

export interface Variables {
  /** Path that a variable `__name__` stands for; undefined when nothing declares it. */
  path(name: string): string | undefined;
  type(name: string): string | undefined;
}

/** `names`: paths by variable, from the extension of our own export. */
export function createVariables(
  { playbook_variables = {}, workflow }: CacaoPlaybook,
  names: unknown,
): Variables {
  const declared = new Map<string, Variable>();
  for (const { step_variables } of Object.values(workflow))
    for (const [name, variable] of Object.entries(step_variables ?? {}))
      if (isMap(variable)) declared.set(name, variable);
  for (const [name, variable] of Object.entries(playbook_variables)) declared.set(name, variable);
  const own = isMap(names) ? names : {};
  return {
    path(name) {
      const known = Object.hasOwn(own, name) ? own[name] : undefined;
      if (typeof known === 'string' && isPath(known)) return known;
      const found = declared.get(name);
      if (found === undefined) return undefined;
      // What our own export describes by its path is that path.
      if (typeof found.description === 'string' && /^vars\.[A-Za-z0-9_]+$/.test(found.description))
        return found.description;
      const plain = name.slice(2, -2).replace(/[^A-Za-z0-9_]/g, '_');
      return `${found.external === true ? 'params' : 'vars'}.${plain}`;
    },
    type: (name) => declared.get(name)?.type,
  };
}
