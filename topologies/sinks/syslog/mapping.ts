// Which field of an event goes under which key, as data: the profiles of each format, and what the parameters change in them.
//
// Invariant: the profile `strict` has keys of the CEF dictionary only, each with values of the kind that the dictionary gives it.
// Surprise: the guide's own example puts a host name into `src`, an address field; only the profile `seed` repeats that.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { type CefKind, cefKeys } from '../../domain/formats/cef-keys.ts';
import { sdName } from '../../domain/formats/rfc5424.ts';
import type { SyslogParams } from './manifest.ts';

/** Where a value comes from besides paths into the event. */
export const computed = {
  /** Epoch ms of the event, or of its record. */
  time: '@time',
  /** `topic/partition/offset` of the record. */
  position: '@position',
  /** Severity as a number from 1 to 10. */
  severity: '@severity',
} as const;

export interface FieldRule {
  readonly key: string;
  /** Paths with dots, or `computed` sources; the first with a fitting value counts. */
  readonly from: readonly string[];
  readonly kind: CefKind;
  /** Most characters. */
  readonly max: number;
  /** Fixed text of the `<key>Label` that goes with it. */
  readonly label?: string;
}

export type FieldSetting =
  | null
  | string
  | readonly string[]
  | { from: string | readonly string[]; label?: string };

interface Entry {
  readonly key: string;
  readonly from: readonly string[];
  readonly label?: string;
}

const { time, position, severity } = computed;
const asset = ['data.asset.ip', 'data.asset.name'];
const findingLabels: readonly Entry[] = [
  { key: 'cs1', label: 'severity', from: ['data.severity'] },
  { key: 'cs2', label: 'cvss', from: ['data.cvss'] },
  { key: 'cs3', label: 'finding_id', from: ['data.finding_id'] },
];

const cefStrict: readonly Entry[] = [
  { key: 'rt', from: [time] },
  { key: 'src', from: ['data.source.ip'] },
  { key: 'shost', from: ['data.source.host'] },
  { key: 'dst', from: asset },
  { key: 'c6a3', label: 'Destination IPv6 Address', from: asset },
  { key: 'dhost', from: ['data.asset.name', 'data.asset.host'] },
  { key: 'deviceExternalId', from: ['data.scanner.id'] },
  { key: 'externalId', from: ['id', 'data.finding_id', position] },
  { key: 'cat', from: ['data.category'] },
  { key: 'request', from: ['data.url'] },
  { key: 'outcome', from: ['data.outcome'] },
  { key: 'msg', from: ['data.title', 'data.message'] },
  ...findingLabels,
  { key: 'cfp1', label: 'cvss', from: ['data.cvss'] },
];

const cefSeed: readonly Entry[] = [
  { key: 'src', from: ['data.asset.name'] },
  { key: 'dst', from: ['data.asset.ip'] },
  { key: 'msg', from: ['data.title'] },
  ...findingLabels,
];

const leef: readonly Entry[] = [
  { key: 'devTime', from: [time] },
  { key: 'sev', from: [severity] },
  { key: 'cat', from: ['data.category'] },
  { key: 'src', from: ['data.source.ip'] },
  { key: 'dst', from: asset },
  { key: 'resource', from: ['data.asset.name'] },
  { key: 'url', from: ['data.url'] },
  { key: 'externalId', from: ['id', 'data.finding_id', position] },
  { key: 'title', from: ['data.title', 'data.message'] },
  { key: 'severity', from: ['data.severity'] },
  { key: 'cvss', from: ['data.cvss'] },
  { key: 'findingId', from: ['data.finding_id'] },
];

const structuredData: readonly Entry[] = [
  { key: 'id', from: ['id', position] },
  { key: 'event', from: ['event'] },
  { key: 'finding_id', from: ['data.finding_id'] },
  { key: 'severity', from: ['data.severity'] },
  { key: 'cvss', from: ['data.cvss'] },
  { key: 'asset', from: ['data.asset.name'] },
  { key: 'asset_id', from: ['data.asset.id'] },
];

// Attributes of LEEF with a kind of their own; every other one is text.
const leefKinds: Readonly<Record<string, CefKind>> = { devTime: 'time', sev: 'integer' };
const textLimits = { cef: 1023, leef: 1023, rfc5424: 1023, json: 0 } as const;

function profileOf(params: SyslogParams): readonly Entry[] {
  if (params.format === 'leef') return leef;
  if (params.format === 'rfc5424') return structuredData;
  if (params.format === 'json') return [];
  return params.profile === 'seed' ? cefSeed : cefStrict;
}

/** The fields of a message in their order: those of the profile, changed and extended by `fields`. */
export function fieldsOf(params: SyslogParams): readonly FieldRule[] {
  const entries = new Map(profileOf(params).map((entry) => [entry.key, entry]));
  for (const [key, setting] of Object.entries(params.fields ?? {})) {
    if (setting === null) entries.delete(key);
    else entries.set(key, entryOf(key, setting));
  }
  return [...entries.values()].map((entry) => ruleOf(entry, params));
}

function entryOf(key: string, setting: NonNullable<FieldSetting>): Entry {
  if (typeof setting === 'string') return { key, from: [setting] };
  if (Array.isArray(setting)) return { key, from: setting };
  const { from, label } = setting as { from: string | readonly string[]; label?: string };
  return { key, from: typeof from === 'string' ? [from] : from, ...(label === undefined ? {} : { label }) };
}

function ruleOf(entry: Entry, params: SyslogParams): FieldRule {
  const format = params.format ?? 'cef';
  if (format === 'leef') return { ...entry, kind: leefKinds[entry.key] ?? 'text', max: textLimits.leef };
  const known = format === 'cef' ? cefKeys.get(entry.key) : undefined;
  // The guide's example has text where the dictionary wants an address.
  const kind = params.profile === 'seed' ? 'text' : (known?.kind ?? 'text');
  return { ...entry, kind, max: known?.max ?? textLimits[format] };
}

/** What is wrong with `fields`, as JSON Pointers into the parameters. */
export function checkFields(params: SyslogParams): Issue[] {
  const issues: Issue[] = [];
  const { format = 'cef', profile = 'strict', fields = {} } = params;
  for (const [key, setting] of Object.entries(fields)) {
    const path = `/fields/${key}`;
    if (setting === null) continue;
    const { from, label } = entryOf(key, setting);
    if (format !== 'cef' && label !== undefined) issues.push({ path, message: 'has a label in CEF only' });
    if (format === 'json')
      issues.push({ path, message: 'cannot be set for format json: the event goes as it is' });
    if (format === 'rfc5424' && !sdName.test(key))
      issues.push({ path, message: 'is no name of structured data' });
    if (format === 'leef' && !/^\w{1,50}$/.test(key))
      issues.push({ path, message: 'must be letters, digits and underscores' });
    if (format === 'cef') issues.push(...checkCefKey(path, key, label, profile));
    for (const source of from)
      if (
        source.startsWith('@')
          ? !Object.values<string>(computed).includes(source)
          : source.split('.').includes('')
      )
        issues.push({ path, message: `${JSON.stringify(source)} is no path into the event` });
  }
  return issues;
}

function checkCefKey(path: string, key: string, label: string | undefined, profile: string): Issue[] {
  const known = cefKeys.get(key);
  if (known === undefined) {
    if (profile === 'strict')
      return [{ path, message: 'is no key of the CEF dictionary; profile seed allows it' }];
    return /^[A-Za-z0-9]{1,255}$/.test(key) ? [] : [{ path, message: 'must be letters and digits' }];
  }
  if (known.labelled && label === undefined) return [{ path, message: 'needs a label' }];
  if (!known.labelled && label !== undefined)
    return [{ path, message: 'has no label in the CEF dictionary' }];
  return [];
}
