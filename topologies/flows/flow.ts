// The three kinds of flow as data. A flow says what is read, what is written, under which group, and what kind of
// function runs in between; the runners in topologies/run know how.
import type { Group } from '../groups.ts';
import type { Topic } from '../topics.ts';

interface FlowShape {
  /** Also the folder in services/. */
  readonly service: string;
  readonly title: string;
  readonly reads: readonly Topic[];
  /** Compacted topics that are read to their end before the first record. */
  readonly tables: readonly Topic[];
  readonly writes: readonly Topic[];
  readonly group: Group | null;
}

/** Pure: (record, tables) -> records. No state but the tables. */
export interface DecideFlow extends FlowShape {
  readonly kind: 'decide';
}

/** Pure per key: (state, input) -> {state, effects}; one owner per partition. */
export interface FoldFlow extends FlowShape {
  readonly kind: 'fold';
  /** Written with every input; read by this flow alone, when the store lost its states. One of `writes`. */
  readonly changelog: Topic;
}

/** Async: (command, ports) -> outcome. */
export interface PerformFlow extends FlowShape {
  readonly kind: 'perform';
  /** Outside systems it touches, for the picture. */
  readonly touches: readonly string[];
}

export type Flow = DecideFlow | FoldFlow | PerformFlow;
