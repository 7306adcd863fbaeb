// Parameters of the incident action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { checkAdditional, checkLocals, type FieldTemplates } from '../../domain/action/record/fields.ts';
import { checkFields, type FieldDefinitions } from '../../domain/incident/fields.ts';
import { defaultSeverities } from '../../domain/incident/severity.ts';
import { checkWorkflow, defaultWorkflow, type Workflow } from '../../domain/incident/workflow.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { readBound } from './drilldown.ts';

export interface SearchParams {
  readonly type: 'search';
  readonly text: string;
  readonly earliest?: string;
  readonly latest?: string;
}

export interface InventoryParams {
  readonly object_type: string;
  readonly match: Readonly<Record<string, string>>;
  readonly copy?: readonly string[];
}

export interface IncidentParams {
  readonly title?: string;
  readonly severity?: string;
  readonly severities?: readonly string[];
  readonly default_severity?: string;
  readonly workflow?: 'default' | Workflow;
  readonly assignee?: string;
  readonly description?: string;
  readonly drilldown?: SearchParams | { readonly type: 'link'; readonly url: string };
  readonly index_suffix?: string;
  readonly field_definitions?: FieldDefinitions;
  readonly incident_fields?: Readonly<Record<string, string>>;
  readonly additional_fields?: FieldTemplates;
  readonly inventory?: InventoryParams;
  readonly local_params?: Readonly<Record<string, string>>;
}

export function workflowOf({ workflow = 'default' }: IncidentParams): Workflow {
  return workflow === 'default' ? defaultWorkflow : workflow;
}

export function severitiesOf({ severities = defaultSeverities }: IncidentParams): readonly string[] {
  return severities;
}

export function defaultSeverityOf({ default_severity = 'Medium' }: IncidentParams): string {
  return default_severity;
}

/** Names that an incident has itself. */
const ownNames: ReadonlySet<string> = new Set([
  'id',
  'incident_id',
  'number',
  'version',
  'title',
  'severity',
  'status',
  'workflow',
  'assignee',
  'description',
  'drilldown',
  'index',
  'index_suffix',
  'fields',
  'additional_fields',
  'inventory',
  'evidence',
  'rule',
  'action',
  'source',
  'warnings',
  'tenant',
  'created_at',
  'changed_at',
  'closed_at',
]);

/** Issues of schema-valid parameters. */
export function checkIncident(params: IncidentParams): Issue[] {
  const { workflow, field_definitions = {}, incident_fields = {}, inventory } = params;
  const taken = new Set([...ownNames, ...Object.keys(field_definitions)]);
  return [
    ...checkTemplate(params.title, 'none', '/title'),
    ...checkTemplate(params.severity, 'none', '/severity'),
    ...checkSeverities(params),
    ...(workflow === undefined || workflow === 'default' ? [] : checkWorkflow(workflow, '/workflow')),
    ...checkTemplate(params.assignee, 'none', '/assignee'),
    ...checkTemplate(params.description, 'markdown', '/description'),
    ...checkDrilldown(params),
    ...checkFields(field_definitions, incident_fields, '/incident_fields'),
    ...Object.entries(incident_fields).flatMap(([name, value]) =>
      checkTemplate(value, 'json', `/incident_fields/${name}`),
    ),
    ...checkAdditional(params.additional_fields, taken),
    ...Object.entries(inventory?.match ?? {}).flatMap(([name, value]) =>
      checkTemplate(value, 'none', `/inventory/match/${name}`),
    ),
    ...checkLocals(params.local_params),
  ];
}

function checkSeverities(params: IncidentParams): Issue[] {
  const names = severitiesOf(params);
  const issues = names.flatMap((name, index) =>
    names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) < index
      ? [{ path: `/severities/${index}`, message: `${name} is named twice` }]
      : [],
  );
  if (!names.includes(defaultSeverityOf(params)))
    issues.push({ path: '/default_severity', message: `must be one of ${names.join(', ')}` });
  return issues;
}

function checkDrilldown({ drilldown }: IncidentParams): Issue[] {
  if (drilldown === undefined) return [];
  if (drilldown.type === 'link') return checkTemplate(drilldown.url, 'url', '/drilldown/url');
  const { text, earliest, latest } = drilldown;
  const issues = [
    ...checkTemplate(text, 'json', '/drilldown/text'),
    ...checkBound(earliest, '/drilldown/earliest'),
    ...checkBound(latest, '/drilldown/latest'),
  ];
  if (issues.length > 0 || earliest === undefined || latest === undefined) return issues;
  // Two moments, or two distances from now, can be compared today; one of each only when the incident is made.
  const [from, to] = [readBound(earliest, 0), readBound(latest, 0)];
  const comparable = earliest.includes('now') === latest.includes('now');
  if (comparable && from !== null && to !== null && from > to)
    issues.push({ path: '/drilldown/earliest', message: 'is after latest' });
  return issues;
}

function checkBound(text: string | undefined, path: string): Issue[] {
  if (text === undefined) return [];
  if (text.includes('{{')) return checkTemplate(text, 'none', path);
  return readBound(text, 0) === null ? [{ path, message: 'must be RFC 3339, now, or now-15m' }] : [];
}
