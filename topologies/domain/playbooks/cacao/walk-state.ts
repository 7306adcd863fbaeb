// What a walk over a workflow remembers: identifiers by place, ids that are taken, steps by what they came from.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { pointer } from '../../rules/import/imported.ts';
import type { Known } from './conditions.ts';
import { type CacaoPlaybook, type CacaoStep, uuidOf } from './document.ts';
import { slugOf } from './foreign.ts';
import { below, places } from './places.ts';
import { idsOf } from './restore.ts';
import type { Variables } from './variables.ts';

export type Warn = (message: string) => void;

/** A list of steps in the making. */
export interface List {
  readonly path: string;
  readonly steps: PlaybookStep[];
  /** Where it also ends: what follows the step that it belongs to. */
  readonly stops: ReadonlySet<string>;
  /** On the way to here. */
  readonly seen: Set<string>;
  /** The condition of `when` around its only step. */
  readonly wrapper?: CacaoStep;
  /** What runs on failure, and goes on where the step does. */
  readonly joins?: boolean;
}

export interface Walk {
  readonly cacao: CacaoPlaybook;
  readonly workflow: CacaoPlaybook['workflow'];
  readonly known: Known;
  /** Paths of variables that a decision sets. */
  readonly decided: Map<string, string>;
  readonly ids: Record<string, string>;
  readonly origins: Map<unknown, string>;
  readonly issues: Issue[];
  /** Ids of ours by identifier of the step that begins them. */
  readonly firsts: Map<string, string>;
  readonly reached: Set<string>;
  tell: Warn;
  /** A warning about a step of the workflow. */
  warner(at: string): Warn;
  /** Keeps the identifier of a place. */
  record(place: string, id: string): void;
  /** An id that no step has. */
  fresh(wanted: string): string;
  /** The id of a step of this list, its identifier kept; `wanted` again for the first copy of a step of ours. */
  place(list: List, at: string, wanted: string): string;
}

export function createWalk(cacao: CacaoPlaybook, variables: Variables, tell: Warn): Walk {
  const { workflow } = cacao;
  const ids: Record<string, string> = {};
  const kept = new Set<string>();
  const taken = new Set<string>();
  const reserved = new Set(Object.values(workflow).flatMap(idsOf));
  const decided = new Map<string, string>();
  const reached = new Set<string>();

  // A step that is written out twice keeps its identifier at its first place only.
  function record(place: string, id: string): void {
    if (!kept.has(uuidOf(id))) ids[place] ??= uuidOf(id);
    kept.add(uuidOf(id));
    reached.add(id);
  }

  function fresh(wanted: string): string {
    const base = /^[A-Za-z]/.test(wanted) ? wanted : `s-${wanted}`;
    let id = base;
    for (let n = 2; taken.has(id) || reserved.has(id); n++) id = `${base.slice(0, 56)}-${n}`;
    taken.add(id);
    return id;
  }

  return {
    cacao,
    workflow,
    known: {
      path: (name) => decided.get(name) ?? variables.path(name),
      type: variables.type,
    },
    decided,
    ids,
    origins: new Map(),
    issues: [],
    firsts: new Map(),
    reached,
    tell,
    warner: (at) => (message) => tell(`${pointer('workflow', at)}: ${message}`),
    record,
    fresh,
    place(list, at, wanted) {
      const first = reserved.has(wanted) && !taken.has(wanted);
      const id = first ? wanted : fresh(wanted);
      taken.add(id);
      record(places.step(below(list.path, id)), at);
      return id;
    },
  };
}

/** An id for a step that has none of ours. */
export function idFor(step: CacaoStep, at: string): string {
  return slugOf(step.name ?? '', `${step.type}-${uuidOf(at).slice(0, 8)}`);
}

/** The step as its name, times and description say it: the delay is that of the condition around it, where there is one. */
export function saidOf({ wrapper }: List, step: CacaoStep): CacaoStep {
  if (wrapper === undefined) return step;
  const { delay: _, ...rest } = step;
  return wrapper.delay === undefined ? rest : { ...rest, delay: wrapper.delay };
}
