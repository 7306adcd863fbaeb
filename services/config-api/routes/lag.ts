// How far behind each consumer group is, in records and in seconds.
import { flows } from '@tocsin/topologies/flows/all.ts';
import { sinkGroup } from '@tocsin/topologies/groups.ts';
import type { GroupLag } from '@tocsin/topologies/ports/log.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';

interface Reader {
  readonly group: string;
  readonly service: string;
  readonly topics: readonly string[];
}

const byId = new Map(Object.values(topics).map((topic) => [topic.id as string, topic.name]));

export function lagRoutes(app: FastifyInstance, { lag, store }: Pick<Dependencies, 'lag' | 'store'>): void {
  app.get(
    '/api/lag',
    { config: { access: 'read:lag' }, schema: { summary: 'Lag of every consumer group', tags: ['system'] } },
    async () => {
      const readers = [...fixedReaders(), ...(await sinkReaders(store))];
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

function fixedReaders(): Reader[] {
  return flows.flatMap((flow) =>
    flow.group === null || flow.service === 'sinks'
      ? []
      : [{ group: flow.group.id, service: flow.service, topics: flow.reads.map((topic) => topic.name) }],
  );
}

async function sinkReaders(store: Dependencies['store']): Promise<Reader[]> {
  const sinks = await store.list('sink', { limit: 1_000 });
  return sinks.map(({ document }) => {
    const read = (document.topics as string[] | undefined) ?? ['findings'];
    return {
      group: sinkGroup(document.id).id,
      service: 'sinks',
      topics: read.flatMap((id) => byId.get(id) ?? []),
    };
  });
}

function secondsOf(lag: GroupLag, now: number): number {
  return lag.oldestTimestamp === null ? 0 : Math.max(0, (now - lag.oldestTimestamp) / 1000);
}

function total(partitions: readonly GroupLag[], now: number): { records: number; seconds: number } {
  return {
    records: partitions.reduce((sum, each) => sum + each.records, 0),
    seconds: partitions.reduce((most, each) => Math.max(most, secondsOf(each, now)), 0),
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
    seconds: secondsOf(lag, now),
  };
}
