// A checked playbook in the form that the state machine reads: steps by path, lists by path, conditions as functions.
import type { PlaybookStep, PlaybookVersion } from '@tocsin/schemas/types.ts';
import type { Ask } from './tri-state.ts';

export const stepKinds = [
  'action',
  'approve',
  'waitFor',
  'if',
  'switch',
  'parallel',
  'forEach',
  'while',
  'playbook',
  'set',
  'end',
] as const;

export type StepKind = (typeof stepKinds)[number];

/** A list of steps that run one after the other. */
export interface StepList {
  /** '' is the playbook's own; others `<path of a step>/<part>`: gate/then, fan/branches/0, loop/do, mail/onError. */
  readonly path: string;
  /** Path of the step that it belongs to; null for the playbook's own. */
  readonly owner: string | null;
  readonly steps: readonly ProgramStep[];
  /** Distance from the playbook's own list, which is 1. */
  readonly level: number;
}

export interface ProgramStep {
  readonly path: string;
  readonly id: string;
  readonly kind: StepKind;
  readonly step: PlaybookStep;
  /** Path of the list that it is in, and the place in there. */
  readonly list: string;
  readonly index: number;
  /** JSON Pointer into the document. */
  readonly pointer: string;
  /** Place in the document, from 0. */
  readonly order: number;
}

export interface Program {
  readonly version: PlaybookVersion;
  readonly steps: ReadonlyMap<string, ProgramStep>;
  readonly lists: ReadonlyMap<string, StepList>;
  /** Paths of steps by id. */
  readonly paths: ReadonlyMap<string, string>;
  /** By JSON Pointer of the condition. */
  readonly conditions: ReadonlyMap<string, Ask>;
}

/** Programs by id and revision; a revision never changes. null: not known here. */
export type Definitions = (playbook: string, revision: number) => Program | null;
