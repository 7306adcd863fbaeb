// How far behind each consumer group is, in records and in seconds.
import { flows } from '@tocsin/topologies/flows/all.ts';
import { sinkGroup } from '@tocsin/topologies/groups.ts';
import type { GroupLag } from '@tocsin/topologies/ports/log.ts';
import { lagSeconds } from '@tocsin/topologies/run/lag-watch.ts';
import { sinkTopicIds, topicNameOf } from '@tocsin/topologies/topics.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';

/** A consumer group and what it reads. */
export interface Reader {
  readonly group: string;
  readonly service: string;
  readonly topics: readonly string[];
}

export function lagRoutes(app: FastifyInstance, { lag, store }: Pick<Dependencies, 'lag' | 'store'>): void {
  app.get(
    '/api/lag',
    { config: { access: 'read:lag' }, schema: { summary: 'Lag of every consumer group', tags: ['system'] } },
    async () => {
      const readers = await groupReaders(store);
      const now = Date.now();
      const items = await Promise.all(
        readers.map(async (reader) => {
          const partitions = await lag(reader.group, reader.topics);
          return {
            ...reader,
            ...total(partitions, now),
            partitions: partitions.map((each) => shown(each, now)),
          };
        }),
      );
      return { items };
    },
  );
}

/** Every consumer group of this moment: those of the flows, and one per configured sink. */
export async function groupReaders(store: Pick<Dependencies['store'], 'list'>): Promise<Reader[]> {
  return [...fixedReaders(), ...(await sinkReaders(store))];
}

function fixedReaders(): Reader[] {
  return flows.flatMap((flow) =>
    flow.group === null || flow.group.id.includes('<')
      ? []
      : [{ group: flow.group.id, service: flow.service, topics: flow.reads.map((topic) => topic.name) }],
  );
}

async function sinkReaders(store: Pick<Dependencies['store'], 'list'>): Promise<Reader[]> {
  const sinks = await store.list('sink', { limit: 1_000 });
  return sinks.map(({ document }) => ({
    group: sinkGroup(document.id).id,
    service: 'sinks',
    topics: sinkTopicIds(document).flatMap((id) => topicNameOf(id) ?? []),
  }));
}

function total(partitions: readonly GroupLag[], now: number): { records: number; seconds: number } {
  return {
    records: partitions.reduce((sum, each) => sum + each.records, 0),
    seconds: partitions.reduce((most, each) => Math.max(most, lagSeconds(each, now)), 0),
  };
}

function shown(lag: GroupLag, now: number): Record<string, unknown> {
  const { topic, partition, committed, end, records } = lag;
  return {
    topic,
    partition,
    committed: committed < 0 ? null : committed,
    end,
    records,
    seconds: lagSeconds(lag, now),
  };
}
