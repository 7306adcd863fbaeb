// What the log action is: one JSON line for every result, in the event log file of the worker.
import type { ActionManifest } from '../../domain/action/define-action.ts';

export const manifest: ActionManifest = {
  id: 'log',
  title: 'Event logging',
  summary: 'Writes the event or the search results to the event log file, one JSON line each.',
  since: '0.1.0',
  params: { type: 'object', additionalProperties: false, properties: {} },
  examples: [{ title: 'There is nothing to configure', params: {} }],
  outputs: {
    lines: 'How many lines were written.',
  },
  needs: ['lineLog'],
  connection: null,
  runOnce: 'all',
  defaultMode: 'all',
  idempotency: 'key',
  ledger: 'fast',
};
