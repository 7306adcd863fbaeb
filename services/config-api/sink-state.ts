// How a sink does now: what it told of itself, what waits for it, and what went wrong last.
import { sinkGroup } from '@tocsin/topologies/groups.ts';
import { sinkTopicIds, topicNameOf } from '@tocsin/topologies/topics.ts';
import type { Dependencies } from './dependencies.ts';
import type { StoredPair } from './sink-pairs.ts';

/** `status`: inactive (switched off), paused (by what the receiver answers) or running; `waiting`: records, null when the log does not say. */
export async function stateOf(
  { deliveries, lag }: Pick<Dependencies, 'deliveries' | 'lag'>,
  { sink }: StoredPair,
): Promise<Record<string, unknown>> {
  const { id } = sink.document;
  const read = sinkTopicIds(sink.document).flatMap((topic) => topicNameOf(topic) ?? []);
  const [told, failure, lags] = await Promise.all([
    deliveries.state(id),
    deliveries.lastFailure(id),
    lag(sinkGroup(id).id, read).catch(() => null),
  ]);
  // What was saved after a pause has not been tried yet.
  const isPaused = told?.paused === true && told.at >= sink.updatedAt;
  return {
    status: sink.document.enabled === false ? 'inactive' : isPaused ? 'paused' : 'running',
    ...(isPaused ? { since: told.at.toISOString(), code: told.code, detail: told.detail } : {}),
    waiting: lags === null ? null : lags.reduce((sum, { records }) => sum + records, 0),
    last_error:
      failure === null
        ? null
        : {
            at: failure.at.toISOString(),
            status: failure.status,
            code: failure.code,
            status_code: failure.status_code,
            detail: failure.detail,
          },
  };
}
