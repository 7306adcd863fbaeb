// The judge of every fault run: from what was written, what the log holds and what receivers booked, to a verdict.
//
// Invariant: pure, and independent of the product: expected hits come from the naive oracle, command ids from their
// documented definition. Every list in a verdict is empty when the promise held.

export interface Input {
  readonly id: string;
  /** Commands that this input must cause; none for an input that is broken on purpose. */
  readonly hits: readonly { readonly commandId: string; readonly rule: string }[];
  /** Cannot be parsed: its outcome is a dead letter of the evaluator. */
  readonly broken?: boolean;
}

export interface Outcome {
  readonly commandId: string;
  readonly status: string;
  readonly final: boolean;
  readonly attempt: number;
  readonly startedAt: number;
  /** The result says that an earlier attempt may have had its effect. */
  readonly possibleDuplicate: boolean;
  /** Failure code; also that of the stored outcome in a suppressed result. */
  readonly code?: string;
}

export interface Letter {
  readonly stage: string;
  readonly commandId?: string;
  /** Id of the input, from the original key, where the letter is about an input. */
  readonly input?: string;
}

export interface Delivery {
  readonly commandId: string;
  /** Id of the input that the body tells of. */
  readonly input: string;
}

/** What was found after the run. */
export interface Books {
  readonly inputs: readonly Input[];
  readonly commands: readonly Delivery[];
  readonly outcomes: readonly Outcome[];
  readonly letters: readonly Letter[];
  readonly received: readonly Delivery[];
  /** Ids of the inputs that the sink's receiver indexed; null when no sink ran. */
  readonly forwarded: readonly string[] | null;
}

export interface Verdict {
  readonly inputs: number;
  readonly expected: number;
  /** Expected commands that reached a receiver at least once. */
  readonly delivered: number;
  readonly deadLetters: number;
  readonly held: number;
  /** Deliveries beyond the first of the same command. */
  readonly duplicates: number;
  /** Events beyond the first of the same input in the sink's receiver. */
  readonly sinkDuplicates: number;
  /** Command records beyond the first of the same command: inputs evaluated again. */
  readonly repeatedCommands: number;
  /** Commands whose only outcome is an answer from the ledger: the worker died between the ledger and the log. */
  readonly answered: number;
  /** Expected, and neither received nor dead-lettered nor held; broken inputs without a letter; failures without one. */
  readonly lost: readonly string[];
  /** Commands, outcomes or deliveries that nothing called for. */
  readonly phantom: readonly string[];
  /** Deliveries about a known input under an id that it does not have. */
  readonly otherIds: readonly string[];
  /** Commands without an end. */
  readonly open: readonly string[];
  /** Commands with more than one end. */
  readonly contradictory: readonly string[];
  /** Repeated deliveries of which no result says that they may be one. */
  readonly uncounted: readonly string[];
}

export function judge(books: Books): Verdict {
  const inputIds = new Set(books.inputs.map(({ id }) => id));
  const owner = new Map(
    books.inputs.flatMap(({ id, hits }) => hits.map((hit) => [hit.commandId, id] as const)),
  );
  const received = count(books.received.map(({ commandId }) => commandId));
  const lettered = new Set(books.letters.flatMap(({ commandId }) => commandId ?? []));
  const outcomes = Map.groupBy(books.outcomes, ({ commandId }) => commandId);
  const held = [...owner.keys()].filter((id) => statuses(outcomes.get(id)).includes('held'));
  const forwarded = count(books.forwarded ?? []);

  const misdirected = books.received.filter((delivery) => owner.get(delivery.commandId) !== delivery.input);
  const otherIds = misdirected.filter(({ input }) => inputIds.has(input));
  const phantom = [
    ...misdirected.filter(({ input }) => !inputIds.has(input)),
    ...books.commands.filter((command) => owner.get(command.commandId) !== command.input),
    ...books.outcomes.filter(({ commandId }) => !owner.has(commandId)),
  ];
  const repeated = [...received].filter(([, times]) => times > 1);
  const announced = new Set(
    books.outcomes.filter(({ possibleDuplicate }) => possibleDuplicate).map(({ commandId }) => commandId),
  );
  return {
    inputs: books.inputs.length,
    expected: owner.size,
    delivered: [...owner.keys()].filter((id) => received.has(id)).length,
    deadLetters: books.letters.length,
    held: held.length,
    duplicates: sum(repeated.map(([, times]) => times - 1)),
    sinkDuplicates: sum([...forwarded.values()].map((times) => times - 1)),
    repeatedCommands: sum(
      [...count(books.commands.map(({ commandId }) => commandId)).values()].map((n) => n - 1),
    ),
    answered: [...owner.keys()].filter(
      (id) => ends(outcomes.get(id)).length === 0 && statuses(outcomes.get(id)).includes('suppressed'),
    ).length,
    lost: [
      ...[...owner.keys()].filter((id) => !received.has(id) && !lettered.has(id) && !held.includes(id)),
      ...lostInputs(books, forwarded),
      ...[...outcomes]
        .filter(([id, results]) => results.some(isFailure) && !lettered.has(id))
        .map(([id]) => `${id} failed without a dead letter`),
    ],
    phantom: phantom.map((entry) => JSON.stringify(entry)),
    otherIds: otherIds.map((entry) => JSON.stringify(entry)),
    open: [...owner.keys()].filter((id) => !(outcomes.get(id) ?? []).some(({ final }) => final)),
    contradictory: [...outcomes].filter(([, results]) => ends(results).length > 1).map(([id]) => id),
    uncounted: repeated.map(([id]) => id).filter((id) => !announced.has(id)),
  };
}

/** Everything that breaks a promise, as sentences, the first ten of a kind; empty when all held. */
export function problemsOf(verdict: Verdict): string[] {
  const kinds = ['lost', 'phantom', 'otherIds', 'open', 'contradictory', 'uncounted'] as const;
  return kinds.flatMap((kind) => {
    const shown = verdict[kind].slice(0, 10).map((entry) => `${kind}: ${entry}`);
    const more = verdict[kind].length - shown.length;
    return more > 0 ? [...shown, `${kind}: and ${more} more`] : shown;
  });
}

/** One line for people and for release notes. */
export function lineOf(verdict: Verdict): string {
  const { inputs, expected, delivered, lost, duplicates, deadLetters, held } = verdict;
  const { sinkDuplicates, repeatedCommands, answered } = verdict;
  return (
    `inputs=${inputs} expected=${expected} delivered=${delivered} lost=${lost.length} dup=${duplicates} ` +
    `dlq=${deadLetters} held=${held} reevaluated=${repeatedCommands} answered=${answered} sinkdup=${sinkDuplicates}`
  );
}

function lostInputs({ inputs, letters, forwarded }: Books, indexed: ReadonlyMap<string, number>): string[] {
  const letterOf = (stage: string) =>
    new Set(letters.filter((letter) => letter.stage === stage).map(({ input }) => input));
  const [evaluator, sink] = [letterOf('input'), letterOf('sink')];
  return [
    ...inputs
      .filter(({ id, broken }) => broken === true && !evaluator.has(id))
      .map(({ id }) => `broken input ${id} without a dead letter`),
    ...(forwarded === null ? [] : inputs)
      .filter(({ id }) => !indexed.has(id) && !sink.has(id))
      .map(({ id }) => `input ${id} did not reach the sink`),
  ];
}

/** The distinct ends of a command. A record that the producer repeated is the same end; so is one that is held again. */
function ends(results: readonly Outcome[] | undefined): string[] {
  const own = (results ?? []).filter(({ final, status }) => final && status !== 'suppressed');
  return [
    ...new Set(
      own.map(({ status, attempt, startedAt }) =>
        status === 'held' ? status : `${status} ${attempt} ${startedAt}`,
      ),
    ),
  ];
}

function isFailure({ final, status, code }: Outcome): boolean {
  return (
    final && (status === 'failed' || status === 'held' || (status === 'suppressed' && code !== undefined))
  );
}

function statuses(results: readonly Outcome[] | undefined): string[] {
  return (results ?? []).map(({ status }) => status);
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
