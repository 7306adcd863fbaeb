// The judge of what became of events that went through a sink: from the log, the receiver's books and the committed offsets.
//
// Invariant: pure, and independent of the product. An event counts as delivered by the receiver's own books, and an offset was
// committed too early when the books of that moment lack one event below it.

export interface Sent {
  readonly id: string;
  readonly partition: number;
  readonly offset: number;
}

/** One entry of the receiver's books: what it stored, or was sent again, with one request or one read. */
export interface Entry {
  /** Epoch ms. */
  readonly at: number;
  readonly ids: readonly string[];
  /** Position in the books after the entry, bytes. */
  readonly end: number;
}

/** Committed offsets by partition, and how long the books were right after they were asked for. */
export interface Sample {
  readonly committed: ReadonlyMap<number, number>;
  readonly bytes: number;
}

export interface SinkBooks {
  readonly sent: readonly Sent[];
  readonly entries: readonly Entry[];
  readonly letters: readonly { readonly id: string; readonly reason: string }[];
  readonly samples: readonly Sample[];
}

export interface SinkVerdict {
  readonly sent: number;
  /** Different events that the receiver has. */
  readonly delivered: number;
  /** Neither with the receiver nor in the dead letters. */
  readonly lost: readonly string[];
  /** Events that the receiver was given again. */
  readonly duplicates: number;
  readonly letters: SinkBooks['letters'];
  /** Below an offset that was committed before the receiver had them. */
  readonly early: readonly string[];
  /** Delivered and dead-lettered, or never sent at all. */
  readonly strays: readonly string[];
}

/** Entries from the text of the books; a last line that a kill cut off was never answered, and does not count. */
export function readEntries(books: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; ; ) {
    const line = books.indexOf(10, at);
    if (line < 0) return entries;
    try {
      const [time, ids] = JSON.parse(books.toString('utf8', at, line)) as [number, string[]];
      entries.push({ at: time, ids, end: line + 1 });
    } catch {}
    at = line + 1;
  }
}

export function judge({ sent, entries, letters, samples }: SinkBooks): SinkVerdict {
  const known = new Set(sent.map(({ id }) => id));
  const lettered = new Set(letters.map(({ id }) => id));
  const first = new Map<string, number>();
  let receipts = 0;
  for (const { ids, end } of entries)
    for (const id of ids) {
      receipts += 1;
      if (!first.has(id)) first.set(id, end);
    }
  return {
    sent: sent.length,
    delivered: first.size,
    lost: [...known].filter((id) => !first.has(id) && !lettered.has(id)),
    duplicates: receipts - first.size,
    letters,
    early: earlyCommits(sent, first, lettered, samples),
    strays: [
      ...[...first.keys()].filter((id) => !known.has(id) || lettered.has(id)),
      ...[...lettered].filter((id) => !known.has(id)),
    ],
  };
}

function earlyCommits(
  sent: readonly Sent[],
  first: ReadonlyMap<string, number>,
  lettered: ReadonlySet<string>,
  samples: readonly Sample[],
): string[] {
  const early = new Set<string>();
  for (const { id, partition, offset } of sent) {
    const stored = lettered.has(id) ? 0 : (first.get(id) ?? Number.POSITIVE_INFINITY);
    if (samples.some(({ committed, bytes }) => (committed.get(partition) ?? -1) > offset && bytes < stored))
      early.add(id);
  }
  return [...early];
}

/** What is wrong whatever the fault was; empty when the promise held. */
export function problemsOf({ lost, early, strays }: SinkVerdict): string[] {
  const some = (ids: readonly string[]): string => `${ids.length} (${ids.slice(0, 3).join(', ')})`;
  return [
    ...(lost.length > 0 ? [`lost ${some(lost)}`] : []),
    ...(early.length > 0 ? [`committed before they were delivered ${some(early)}`] : []),
    ...(strays.length > 0 ? [`delivered and dead-lettered, or never sent ${some(strays)}`] : []),
  ];
}

/** The one line of a run. */
export function lineOf(title: string, verdict: SinkVerdict, bound: number): string {
  const { sent, delivered, lost, duplicates, letters } = verdict;
  return `sink-${title}: sent=${sent} delivered=${delivered} lost=${lost.length} duplicates=${duplicates} (bound ${bound}) dead-lettered=${letters.length}`;
}

/** Events in the books between two moments, epoch ms. */
export function takenBetween(entries: readonly Entry[], from: number, to: number): number {
  return entries.reduce((sum, { at, ids }) => sum + (at >= from && at <= to ? ids.length : 0), 0);
}
