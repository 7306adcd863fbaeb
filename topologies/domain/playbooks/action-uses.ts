// Which action types the steps of a playbook use, and where: lists in lists, compensations and handlers of errors included.
import type { Playbook } from '@tocsin/schemas/types.ts';
import { outlineOf } from './outline.ts';

export interface ActionUse {
  readonly type: string;
  /** JSON Pointer of what brings the type into the step. */
  readonly path: string;
}

/** `typeOf`: type of a named action; what does not exist is no use. `document` fits its schema. */
export function actionUses(document: Playbook, typeOf: (action: string) => string | undefined): ActionUse[] {
  const uses: ActionUse[] = [];
  for (const { step, pointer } of outlineOf(document).steps.values()) {
    const { action } = step;
    if (typeof action === 'object') uses.push({ type: action.type, path: `${pointer}/action/type` });
    else if (action !== undefined) {
      const type = typeOf(action);
      if (type !== undefined) uses.push({ type, path: `${pointer}/action` });
    }
  }
  return uses;
}
