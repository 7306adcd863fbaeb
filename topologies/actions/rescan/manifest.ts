// What the rescan action is: a scan of the assets that an event or a result is about.
import { askParams, assetParam, idAtParam, idsParam } from '../../domain/action/ask/params.ts';
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { text } from '../../domain/action/ticket/params.ts';
import { topics } from '../../topics.ts';

const duration = (description: string) => ({ type: 'string', maxLength: 32, pattern: '^P', description });

export const manifest: ActionManifest = {
  id: 'rescan',
  title: 'Rescan',
  summary: 'Asks a scanner to scan an asset again, now or later; many findings of one asset give one scan.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['asset'],
    properties: {
      asset: assetParam,
      scan_type: {
        ...text('Type of the scan as the scanner names it, for example full, quick, ssl; a template.', 256),
        default: 'full',
      },
      finding: idsParam(
        'Finding to look for again, or a list; texts are templates. For the record, or a body of your own.',
        100,
      ),
      options: {
        type: 'object',
        maxProperties: 100,
        description: 'Options of the scanner: a JSON tree whose texts are templates.',
      },
      priority: {
        enum: ['low', 'normal', 'high'],
        description: 'Priority of the scan. Default: the scanner decides.',
      },
      delay: {
        ...duration(
          'For topic: the scan starts so long after the command was decided, or later: ISO 8601, PT0S to P90D.',
        ),
        default: 'PT0S',
      },
      coalesce: {
        ...duration(
          'For topic: scans of one asset that are due in the same window of this length are one scan, at its end: ISO 8601, PT0S (each its own) to P90D.',
        ),
        default: 'PT1M',
      },
      ...askParams(
        'scan-requests.v1',
        '/api/scan/create',
        'asset_id, scan_type, options and priority, as S4E takes them',
      ),
      id_at: idAtParam,
    },
  },
  examples: [
    {
      title: 'Look again in an hour',
      params: { asset: '{{data.asset.id}}', finding: '{{data.finding_id}}', delay: 'PT1H' },
    },
    {
      title: 'Over the API of S4E, at once',
      params: { via: 'http', asset: '{{data.asset.id}}', scan_type: 'quick', priority: 'high' },
    },
    {
      title: 'Over the API of another scanner',
      params: {
        via: 'http',
        asset: '{{host}}',
        path: '/v1/scans',
        body: { targets: ['{{request.asset}}'], name: 'tocsin {{request.correlation_id}}' },
        id_at: '/id',
      },
    },
  ],
  outputs: {
    correlation_id: 'Id of the request, by which the end of the scan is recognised.',
    assets: 'The assets.',
    scans: 'How many scans were asked for.',
    request_key: 'Key by which scanners coalesce requests for one asset.',
    not_before: 'Not to be scanned earlier than this.',
    status_code: 'Status of the answer.',
    scan_id: 'Id that the scanner gave; over HTTP only.',
  },
  failures: ['bad_response', 'invalid_body', 'too_large'],
  needs: ['records', 'http'],
  asks: [topics.scanRequests],
  connection: 'http',
  runOnce: 'all',
  defaultMode: 'each',
  // A scan too many is waste, not harm: an uncertain call is repeated.
  idempotency: 'key',
  // S4E takes ten of these calls a minute (docs.s4e.io/api/core/rate-limits).
  lane: { ratePerSecond: 10 / 60 },
  ledger: 'fast',
};
