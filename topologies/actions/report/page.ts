// The report as one HTML page: readable on screen and on paper, alone in its file.
//
// Invariant: every value is escaped, there is no script and nothing is fetched; the policy in the page says so to browsers too.
import type { Report, ReportStep } from '@tocsin/schemas/types.ts';
import type { Row } from '../../domain/formats/columns.ts';
import { htmlTable } from '../../domain/formats/table.ts';
import { escapeHtml, textOf } from '../../domain/templates/escape.ts';

const style = `body{font:14px/1.45 system-ui,sans-serif;color:#1a1a1a;margin:2rem auto;max-width:70rem;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%;margin:0}th,td{border:1px solid #c8c8c8;padding:.35rem .5rem;text-align:left;vertical-align:top}
th{background:#f3f3f3}td,pre{overflow-wrap:anywhere}pre{white-space:pre-wrap;margin:0;font-size:12px}
.facts th{width:12rem}.note{color:#555}.bad{color:#a40000;font-weight:600}.good{color:#14632b;font-weight:600}
@media print{body{margin:0;max-width:none;font-size:10pt}tr{break-inside:avoid}thead{display:table-header-group}h2{break-after:avoid}}`;

/** The page of a report, rows and columns all of them. */
export function pageOf(report: Report): string {
  const { run, steps, event, rows, search, rule, source } = report;
  const data = event?.['data'];
  const parts = [
    '<!DOCTYPE html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(report.title)}</title><style>${style}</style></head><body>`,
    `<h1>${escapeHtml(report.title)}</h1>`,
    `<p class="note">Generated ${escapeHtml(report.generated_at)}, command ${escapeHtml(report.command_id)}</p>`,
    ...(run === undefined
      ? []
      : [
          section(
            'Run',
            factTable([
              ['Playbook', run.name === undefined ? run.playbook : `${run.name} (${run.playbook})`],
              ['Revision', run.revision],
              ['Run', `${run.key}, number ${run.number}`],
              ['Status', run.status],
              ['Started', run.started_at],
              ['Started by', run.started_by],
              ['Parameters', run.params],
              ['Variables', run.vars],
            ]),
          ),
        ]),
    ...(steps === undefined ? [] : [section('Steps', stepTable(steps))]),
    ...(typeof data === 'object' && data !== null && !Array.isArray(data)
      ? [section('Finding', factTable(Object.entries(data)))]
      : []),
    ...(event === undefined
      ? []
      : [section('Event', factTable(Object.entries(event).filter(([name]) => name !== 'data')))]),
    ...(rows === undefined ? [] : [section('Results', resultsOf(report, rows as Row[]))]),
    section(
      'Origin',
      factTable([
        ['Source', source.id],
        ['Record', `${source.topic}/${source.partition}/${source.offset}`],
        ['Rule', rule === undefined ? undefined : `${rule.name ?? rule.id}, revision ${rule.revision}`],
        ['Search', search?.['name']],
        ['Tenant', report.tenant],
      ]),
    ),
    '</body></html>',
  ];
  return `${parts.join('\n')}\n`;
}

function section(title: string, content: string): string {
  return `<section><h2>${escapeHtml(title)}</h2>\n${content}\n</section>`;
}

function factTable(facts: readonly (readonly [string, unknown])[]): string {
  const rows = facts.flatMap(([name, value]) => {
    if (value === undefined || (isObject(value) && Object.keys(value).length === 0)) return [];
    return [`<tr><th scope="row">${escapeHtml(name)}</th><td>${cell(value)}</td></tr>`];
  });
  return rows.length === 0
    ? '<p class="note">Nothing.</p>'
    : `<table class="facts"><tbody>\n${rows.join('\n')}\n</tbody></table>`;
}

function stepTable(steps: readonly ReportStep[]): string {
  const heads = ['Step', 'Status', 'Started', 'Ended', 'Outcome', 'Decisions'];
  const lines = steps.map((step) => {
    const name = step.name === undefined ? '' : `<br>${escapeHtml(step.name)}`;
    const what = escapeHtml(step.type === undefined ? step.kind : `${step.kind}: ${step.type}`);
    const outcome = [
      ...(step.code === undefined
        ? []
        : [cell(`${step.code}${step.detail === undefined ? '' : `: ${step.detail}`}`)]),
      ...(step.outputs === undefined ? [] : [cell(step.outputs)]),
      ...(step.command_id === undefined
        ? []
        : [`<span class="note">command ${escapeHtml(step.command_id)}</span>`]),
      ...(step.tries === undefined ? [] : [`<span class="note">${step.tries} tries</span>`]),
    ];
    const votes = (step.votes ?? []).map(({ actor, verdict, at, comment }) =>
      escapeHtml(
        `${actor}: ${verdict}${at === undefined ? '' : `, ${at}`}${comment === undefined ? '' : `: ${comment}`}`,
      ),
    );
    return `<tr>${[
      `<b>${escapeHtml(step.path)}</b>${name}<br><span class="note">${what}</span>`,
      `<span class="${toneOf(step.status)}">${escapeHtml(step.status)}</span>`,
      escapeHtml(step.started_at ?? ''),
      escapeHtml(step.ended_at ?? (step.due === undefined ? '' : `due ${step.due}`)),
      outcome.join('<br>'),
      votes.join('<br>'),
    ]
      .map((text) => `<td>${text}</td>`)
      .join('')}</tr>`;
  });
  return `<table class="steps"><thead><tr>${heads.map((name) => `<th scope="col">${name}</th>`).join('')}</tr></thead><tbody>\n${lines.join('\n')}\n</tbody></table>`;
}

function resultsOf({ total_rows = 0 }: Report, rows: readonly Row[]): string {
  const more = total_rows > rows.length ? `, ${total_rows} in the search` : '';
  const all = {
    maxRows: rows.length,
    maxColumns: 1000,
    maxCell: 10_000,
    maxLength: Number.POSITIVE_INFINITY,
  };
  return `<p class="note">${rows.length} rows${more}</p>\n${htmlTable(rows, all)}`;
}

function toneOf(status: ReportStep['status']): string {
  if (status === 'succeeded') return 'good';
  return ['failed', 'rejected', 'expired', 'incident'].includes(status) ? 'bad' : 'note';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function cell(value: unknown): string {
  if (isObject(value)) return `<pre>${escapeHtml(JSON.stringify(value, null, 1))}</pre>`;
  return escapeHtml(textOf(value)).replaceAll('\n', '<br>');
}
