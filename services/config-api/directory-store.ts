// The configuration of CONFIG_DIR seen through the store's interface: everything can be read, nothing written.
import type { ConfigStore, Document, Kind, StoredDocument } from '@tocsin/adapters/postgres/config-store.ts';
import { type ConfigTable, type Revision, tableOf } from '@tocsin/topologies/domain/config/config-table.ts';
import { ApiError } from './errors.ts';

export const readOnlyReason = 'the configuration comes from CONFIG_DIR; change its files instead';

/** `since`: files carry no time of their own change that would survive a copy, so the start of reading is shown. */
export function createDirectoryStore(
  table: () => ConfigTable,
  database: ConfigStore,
  since: Date,
): ConfigStore {
  const held = (kind: Kind) => table()[tableOf[kind]] as ReadonlyMap<string, Revision<unknown>>;
  const shown = (entry: Revision<unknown>): StoredDocument => ({
    revision: entry.revision,
    updatedAt: since,
    updatedBy: 'CONFIG_DIR',
    document: entry.document as Document,
  });
  return {
    // Keys are no configuration: they are made and revoked in the database as ever.
    write: (actor, work) =>
      database.write(actor, (writer) =>
        work({
          ...writer,
          put: () => Promise.reject(new ApiError(409, 'config_dir', readOnlyReason)),
          remove: () => Promise.reject(new ApiError(409, 'config_dir', readOnlyReason)),
        }),
      ),
    async get(kind, id) {
      const entry = held(kind).get(id);
      return entry === undefined ? null : shown(entry);
    },
    async list(kind, page) {
      const ids = [...held(kind).keys()].sort().filter((id) => id > (page.after ?? ''));
      return ids.slice(0, page.limit).map((id) => shown(held(kind).get(id)!));
    },
    async revisions(kind, id, page) {
      const entry = held(kind).get(id);
      if (entry === undefined || (page.before !== undefined && entry.revision >= page.before)) return [];
      return [
        {
          revision: entry.revision,
          createdAt: since,
          createdBy: 'CONFIG_DIR',
          document: entry.document as Document,
        },
      ];
    },
  };
}
