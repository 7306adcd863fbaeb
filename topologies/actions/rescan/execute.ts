// Carries out one rescan command.
import type { ScanRequest } from '@tocsin/schemas/types.ts';
import { askAction } from '../../domain/action/ask/ask.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { topics } from '../../topics.ts';
import { manifest } from './manifest.ts';
import { checkRescan, type RescanParams } from './params.ts';
import { rescanRequests } from './request.ts';

export const rescan = checked({
  manifest,
  check: (params) => checkRescan(params as unknown as RescanParams),
  ...askAction({
    topic: topics.scanRequests,
    whose: 'the scanner',
    ask: (command, now) => rescanRequests(command, command.params as unknown as RescanParams, now),
    api: {
      method: () => 'POST',
      path: '/api/scan/create',
      // docs.s4e.io/api/endpoints/scans, "Create Scan".
      body: (record) => {
        const { asset, scan_type, options, priority } = record as ScanRequest;
        return {
          asset_id: asset,
          scan_type,
          ...(options === undefined ? {} : { options: options as Json }),
          ...(priority === undefined ? {} : { priority }),
        };
      },
      // Both pages of S4E: {data: {scan_id}} in its reference, {scan_id} in its guide.
      id: {
        name: 'scan_id',
        at: ({ id_at }) => (id_at === undefined ? ['/data/scan_id', '/scan_id'] : [id_at]),
      },
    },
  }),
});
