// The topics of a fold have the same partitions: an input, its history and its timers are in partitions of the same number.

import { flows } from '@tocsin/topologies/flows/all.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { topics } from '@tocsin/topologies/topics.ts';

/** Rejects with one line that names the topics and what to do. */
export async function checkPartitions(client: Pick<LogClient, 'admin'>): Promise<void> {
  const admin = client.admin();
  try {
    for (const flow of flows) {
      if (flow.kind !== 'fold' || flow.service !== 'playbooks') continue;
      const [input] = flow.reads;
      if (input === undefined) continue;
      const wanted = await admin.partitionCount(input.name);
      const companions = [flow.changelog, ...(flow.writes.includes(topics.timers) ? [topics.timers] : [])];
      for (const { name } of companions) {
        const count = await admin.partitionCount(name);
        // Timers of several topics lie in one: more partitions than an input has are fine there.
        if (name === topics.timers.name ? count < wanted : count !== wanted)
          throw new Error(
            `${name} has ${count} partitions and ${input.name} has ${wanted}: give both the same number while no run is live`,
          );
      }
    }
  } finally {
    await admin.close();
  }
}
