// Where a sink begins that has read nothing yet: at a time instead of at the beginning of the log.
//
// Invariant: a committed offset counts, whatever its time; so a sink that was switched off catches up.
import type { Assignment, LogClient } from '../ports/log.ts';

/** The first offset of a partition for `group`; null leaves it to the committed offset or the beginning. `since` is RFC 3339. */
export function startSince(
  client: LogClient,
  group: string,
  since: string | undefined,
): ((assignment: Assignment) => Promise<number | null>) | null {
  if (since === undefined) return null;
  const time = Date.parse(since);
  return async ({ topic, partition }) => {
    const admin = client.admin();
    try {
      const lags = await admin.lag(group, [topic]);
      const committed = lags.find((lag) => lag.partition === partition)?.committed ?? -1;
      return committed >= 0 ? null : ((await admin.offsetsAt(topic, time)).get(partition) ?? null);
    } finally {
      await admin.close();
    }
  };
}
