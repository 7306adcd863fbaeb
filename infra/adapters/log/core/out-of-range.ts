// The log no longer holds the position of a partition: stop there or go on at the first offset that is left, never in silence.
import type { ConsumerCore } from './consumer-core.ts';
import type { OwnedPartition } from './owned-partition.ts';
import type { LogConnection } from './settings.ts';

/** Offset at which reading goes on, or null when the partition has stopped. `end` is the offset after the last record. */
export function answerOutOfRange(
  core: Pick<ConsumerCore, 'notice'>,
  owned: Pick<OwnedPartition, 'topic' | 'partition' | 'position' | 'stop' | 'skipTo' | 'seek'>,
  earliest: number,
  end: number,
  policy: LogConnection['onOffsetOutOfRange'],
): number | null {
  const { position } = owned;
  const behind = position < earliest;
  const what = behind
    ? `offsets ${position} to ${earliest - 1} (${earliest - position} records) were deleted before they were read`
    : `offset ${position} is beyond the end ${end} of the log: the topic was truncated or made anew`;
  if (policy !== 'earliest') {
    owned.stop('offset out of range');
    core.notice('offset-out-of-range', `${what}; partition stopped`, owned);
    return null;
  }
  core.notice('offset-out-of-range', `${what}; going on at ${earliest}`, owned);
  if (behind) owned.skipTo(earliest);
  else owned.seek(earliest);
  return earliest;
}
