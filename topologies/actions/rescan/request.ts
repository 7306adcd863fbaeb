// What a rescan asks for: one request for each asset, as a pure function of the command.
//
// Invariant: requests for one asset that are due in the same window have the same key and the same start, which is the end of the
// window: none starts early, all of them are there by then, and nobody here has to remember the others.
import type { Command, ScanRequest } from '@tocsin/schemas/types.ts';
import type { Asked, AskedFor } from '../../domain/action/ask/ask.ts';
import { assetsOf, elementsOf, idText, type NamedAsset } from '../../domain/action/ask/assets.ts';
import { keyOfParts, recordHead } from '../../domain/action/ask/record.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { type RescanParams, spanMs } from './params.ts';

/** Findings of one request; more of them are left out with a warning. */
const findingsMax = 1000;

/** Throws TemplateError. `now`: epoch ms of the attempt, for templates only. */
export function rescanRequests(command: Command, params: RescanParams, now: number): AskedFor | Failed {
  const named = assetsOf(command, params.asset, now);
  if (isFailed(named)) return named;
  const warnings = [...named.warnings];
  const requests: ScanRequest[] = [];
  for (const each of named.assets) {
    const request = requestOf(command, params, each, warnings);
    if (isFailed(request)) return request;
    requests.push(request);
  }
  const [{ request_key, not_before }] = requests as [ScanRequest, ...ScanRequest[]];
  return {
    asked: requests.map((record): Asked => ({ key: record.asset, record })),
    output: {
      correlation_id: command.command_id,
      assets: requests.map(({ asset }) => asset).slice(0, 100),
      scans: requests.length,
      ...(params.via === 'http' ? {} : { request_key, not_before }),
    },
    warnings: [...new Set(warnings)],
  };
}

function requestOf(
  command: Command,
  params: RescanParams,
  { asset, views }: NamedAsset,
  warnings: string[],
): ScanRequest | Failed {
  const first = views[0] as Views;
  const type = renderText(params.scan_type ?? 'full', first, 'none');
  const scanType = idText(type.text);
  if (type.empty.length > 0) return failed('template', `scan_type: {{${type.empty[0]}}} has no value`);
  if (scanType === null || scanType.length > 64)
    return failed(
      'invalid_body',
      `scan_type: ${JSON.stringify(type.text.slice(0, 80))} is no type of a scan`,
    );
  const options = params.options === undefined ? null : renderJson(params.options, first);
  if (options !== null) warnings.push(...warningsOf('options', options));
  const { due, window } = startOf(command.created_at, params);
  const findings = findingsOf(params.finding, views, warnings);
  const { tenant = '' } = command;
  return {
    ...recordHead(command),
    request_key: keyOfParts([
      'scan',
      tenant,
      asset,
      scanType,
      options?.value ?? null,
      window ?? command.command_id,
    ]),
    asset,
    scan_type: scanType,
    ...(findings.length === 0 ? {} : { findings }),
    ...(options === null ? {} : { options: options.value as Record<string, unknown> }),
    ...(params.priority === undefined ? {} : { priority: params.priority }),
    not_before: new Date(due).toISOString(),
  };
}

/** When the scan is due, epoch ms, and the end of its window; null: it shares with nobody. */
export function startOf(
  createdAt: number,
  { delay = 'PT0S', coalesce = 'PT1M' }: Pick<RescanParams, 'delay' | 'coalesce'>,
): { readonly due: number; readonly window: number | null } {
  // Both were checked.
  const wanted = createdAt + (spanMs(delay) as number);
  const length = spanMs(coalesce) as number;
  if (length === 0) return { due: wanted, window: null };
  const end = Math.floor(wanted / length) * length + length;
  return { due: end, window: end };
}

/** Findings of all rows that name the asset, each once. */
function findingsOf(template: Json | undefined, views: readonly Views[], warnings: string[]): string[] {
  if (template === undefined) return [];
  const found = new Set<string>();
  for (const view of views) {
    const rendered = renderJson(template, view);
    warnings.push(...warningsOf('finding', rendered));
    for (const element of elementsOf(rendered.value)) {
      const id = idText(element);
      if (id === null)
        warnings.push(`finding: ${JSON.stringify(element).slice(0, 80)} is no id of a finding; left out`);
      else found.add(id);
    }
  }
  if (found.size > findingsMax) warnings.push(`finding: ${findingsMax} of ${found.size} findings are named`);
  return [...found].slice(0, findingsMax);
}
