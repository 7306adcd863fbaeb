// Which sinks run: follows the configuration, one sink apart from the other.
//
// Invariant: of one sink at most one consumer runs in this process; a changed document stops the old one before the new one
// starts. A sink that cannot run is reported and tried again, and never takes the others down.
import type { SinkConfig } from '@tocsin/schemas/types.ts';
import type { ConfigTable } from '../domain/config/config-table.ts';
import { openSink, type RunningSink, type SinkResources } from './open-sink.ts';

export interface Fleet {
  /** Makes what runs equal to the table. Resolves when it is; several calls end in the newest table. */
  apply(table: ConfigTable): Promise<void>;
  stop(): Promise<void>;
  /** Ids that run, and the others with the reason. */
  status(): { readonly running: readonly string[]; readonly broken: ReadonlyMap<string, string> };
}

export interface FleetOptions extends SinkResources {
  /** Ids that this process runs; empty for all. */
  readonly only?: readonly string[];
  /** Time until a sink that could not start, or failed, is tried again, ms; default 10,000. */
  readonly retryMs?: number;
}

interface Entry {
  readonly fingerprint: string;
  readonly running: RunningSink | null;
}

export function createFleet(options: FleetOptions): Fleet {
  const { clock, logger, metrics, only = [], retryMs = 10_000 } = options;
  const entries = new Map<string, Entry>();
  const broken = new Map<string, string>();
  const stopping = new AbortController();
  let wanted: ConfigTable | null = null;
  let work: Promise<void> = Promise.resolve();
  let retrying = false;

  function wants(table: ConfigTable): Map<string, SinkConfig> {
    const found = new Map<string, SinkConfig>();
    for (const [id, { document }] of table.sinks)
      if (document.enabled !== false && (only.length === 0 || only.includes(id))) found.set(id, document);
    return found;
  }

  async function end(id: string): Promise<void> {
    const entry = entries.get(id);
    entries.delete(id);
    broken.delete(id);
    await entry?.running
      ?.stop()
      .catch((error: unknown) =>
        logger.error('sink did not stop cleanly', { sink: id, error: String(error) }),
      );
  }

  async function begin(document: SinkConfig, table: ConfigTable, fingerprint: string): Promise<void> {
    const { id } = document;
    const fail = (error: unknown): void => {
      if (entries.get(id)?.fingerprint !== fingerprint) return;
      const reason = error instanceof Error ? error.message : String(error);
      broken.set(id, reason);
      metrics.gauge('tocsin_sink_paused', 1, { sink: id });
      logger.error('sink does not run, trying again', { sink: id, error: reason });
      retryLater();
    };
    entries.set(id, { fingerprint, running: null });
    try {
      const running = await openSink(
        document,
        table.connections.get(document.connection)?.document,
        options,
        fail,
      );
      entries.set(id, { fingerprint, running });
      logger.info('sink runs', { sink: id });
    } catch (error) {
      fail(error);
    }
  }

  function retryLater(): void {
    if (retrying || stopping.signal.aborted) return;
    retrying = true;
    clock.sleep(retryMs, stopping.signal).then(
      () => {
        retrying = false;
        if (wanted !== null) void apply(wanted);
      },
      () => undefined,
    );
  }

  async function reconcile(): Promise<void> {
    const table = wanted;
    if (table === null || stopping.signal.aborted) return;
    const sinks = wants(table);
    for (const id of [...entries.keys()]) if (!sinks.has(id)) await end(id);
    await Promise.all(
      [...sinks.values()].map(async (document) => {
        const fingerprint = JSON.stringify([document, table.connections.get(document.connection) ?? null]);
        if (entries.get(document.id)?.fingerprint === fingerprint && !broken.has(document.id)) return;
        await end(document.id);
        await begin(document, table, fingerprint);
      }),
    );
  }

  function apply(table: ConfigTable): Promise<void> {
    wanted = table;
    work = work.then(reconcile);
    return work;
  }

  return {
    apply,
    async stop() {
      stopping.abort();
      await work;
      await Promise.all([...entries.keys()].map(end));
    },
    status: () => ({
      running: [...entries.keys()].filter((id) => entries.get(id)?.running != null && !broken.has(id)),
      broken,
    }),
  };
}
