// The states of one partition from its changelog, for a store that lost them.
//
// Invariant: of each key the change with the highest input offset counts, whatever its place in the changelog: a member that was
// replaced may have written the same changes again, later.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import type { RestoredState } from '../../ports/fold-store.ts';
import type { LogClient, RecordBatch } from '../../ports/log.ts';
import type { FoldChange } from './fold.ts';
import { readPartition } from './read-partition.ts';

export interface Rebuilt {
  readonly states: readonly RestoredState[];
  /** Last applied input; null when nothing was ever applied. */
  readonly offset: number | null;
}

/** Takes changes in any order. */
export function createRebuild() {
  const last = new Map<string, FoldChange<unknown>>();
  let offset: number | null = null;
  return {
    add(change: FoldChange<unknown>): void {
      if (offset === null || change.offset > offset) offset = change.offset;
      const held = last.get(change.key);
      if (held === undefined || change.offset >= held.offset) last.set(change.key, change);
    },
    result: (): Rebuilt => ({
      offset,
      states: [...last.values()].flatMap(restoredState),
    }),
  };
}

function restoredState(change: FoldChange<unknown>): RestoredState[] {
  const { key, version, state, keep_until, expect_by, tally } = change;
  if (state === null) return [];
  const restored = {
    key,
    state: { version, body: JSON.stringify(state) },
    keepUntil: keep_until ?? null,
    ...(expect_by === undefined ? {} : { expectBy: expect_by }),
    ...(tally === undefined ? {} : { tally }),
  };
  return [restored];
}

/** Reads the changelog of one partition to the end that it has now. Rejects when it cannot be read. */
export async function readChangelog(
  client: Pick<LogClient, 'table'>,
  topic: string,
  partition: number,
): Promise<Rebuilt> {
  const rebuild = createRebuild();
  await readPartition(client, topic, partition, (batch) => addBatch(rebuild, batch));
  return rebuild.result();
}

function addBatch(rebuild: ReturnType<typeof createRebuild>, batch: RecordBatch): void {
  for (let index = 0; index < batch.count; index++) {
    const value = batch.value(index);
    if (value === null) continue;
    const parsed = parseJson(value, { maxDepth: 128, maxKeys: 100_000 });
    if (!parsed.ok)
      throw new Error(
        `${batch.topic}/${batch.partition}/${batch.offset(index)}: ${parsed.reason} ${parsed.detail}`,
      );
    rebuild.add(parsed.value as unknown as FoldChange<unknown>);
  }
}
