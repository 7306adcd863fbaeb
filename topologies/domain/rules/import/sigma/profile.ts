// A source profile: where the fields of a Sigma rule are found in our events, and what an event of its log source looks like.
//
// The default knows nothing of log sources: fields are below `data.`, and every event may be of every source.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { isMap } from '../imported.ts';

export interface LogSource {
  readonly category?: string;
  readonly product?: string;
  readonly service?: string;
}

/** One kind of source. The most specific entry that fits a rule's log source is used. */
export interface SourceEntry {
  readonly logsource: LogSource;
  /** Conditions of the rule language that an event of this source fulfils. */
  readonly when?: Readonly<Record<string, unknown>>;
  /** Whole paths for fields that are called otherwise. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly prefix?: string;
}

export interface SourceProfile {
  /** Put before the name of every field that has no path of its own; ends with a dot. */
  readonly prefix: string;
  readonly fields: Readonly<Record<string, string>>;
  /** Empty: rules of every log source are imported and see every event. */
  readonly sources: readonly SourceEntry[];
  /** Ids of named lists for placeholders. */
  readonly lists: Readonly<Record<string, string>>;
  /** Time zone in which parts of dates are read, IANA. */
  readonly zone: string;
}

export const defaultProfile: SourceProfile = {
  prefix: 'data.',
  fields: {},
  sources: [],
  lists: {},
  zone: 'UTC',
};

/** What holds for one rule. */
export interface ChosenSource {
  readonly when: Readonly<Record<string, unknown>>;
  path(field: string): string;
  readonly prefix: string;
}

/** The entry for a log source, or null when the profile has sources and none of them fits. */
export function chooseSource(profile: SourceProfile, logsource: LogSource): ChosenSource | null {
  const fitting = profile.sources
    .filter((entry) =>
      logSourceNames.every((name) => [undefined, logsource[name]].includes(entry.logsource[name])),
    )
    .sort((a, b) => specificity(b) - specificity(a));
  const [entry] = fitting;
  if (entry === undefined && profile.sources.length > 0) return null;
  const paths = new Map(Object.entries({ ...profile.fields, ...entry?.fields }));
  const prefix = entry?.prefix ?? profile.prefix;
  return { when: entry?.when ?? {}, path: (field) => paths.get(field) ?? prefix + field, prefix };
}

export const logSourceNames = ['category', 'product', 'service'] as const;

function specificity(entry: SourceEntry): number {
  return logSourceNames.filter((name) => entry.logsource[name] !== undefined).length;
}

const profileNames = ['prefix', 'fields', 'sources', 'lists', 'zone'];
const entryNames = ['logsource', 'when', 'fields', 'prefix'];

/** A profile read from a file, with the defaults for what is not said; or what is wrong with it. */
export function readProfile(
  content: unknown,
): { profile: SourceProfile; issues: [] } | { profile: null; issues: Issue[] } {
  const issues: Issue[] = [];
  const wrong = (path: string, message: string): void => void issues.push({ path, message });
  if (!isMap(content)) return { profile: null, issues: [{ path: '', message: 'must be a map' }] };
  checkNames(content, profileNames, '', wrong);
  checkTexts(content['fields'], '/fields', wrong);
  checkTexts(content['lists'], '/lists', wrong);
  for (const name of ['prefix', 'zone']) checkText(content[name], `/${name}`, wrong);
  const sources = content['sources'] ?? [];
  if (!Array.isArray(sources)) wrong('/sources', 'must be a list');
  else for (const [index, entry] of sources.entries()) checkEntry(entry, `/sources/${index}`, wrong);
  if (issues.length > 0) return { profile: null, issues };
  return { profile: { ...defaultProfile, ...(content as Partial<SourceProfile>) }, issues: [] };
}

type Report = (path: string, message: string) => void;

function checkEntry(entry: unknown, path: string, wrong: Report): void {
  if (!isMap(entry)) {
    wrong(path, 'must be a map');
    return;
  }
  checkNames(entry, entryNames, path, wrong);
  checkTexts(entry['fields'], `${path}/fields`, wrong);
  checkText(entry['prefix'], `${path}/prefix`, wrong);
  if (entry['when'] !== undefined && !isMap(entry['when']))
    wrong(`${path}/when`, 'must be a map of conditions');
  const { logsource } = entry;
  if (!isMap(logsource)) {
    wrong(`${path}/logsource`, `must be a map of ${logSourceNames.join(', ')}`);
    return;
  }
  checkNames(logsource, logSourceNames, `${path}/logsource`, wrong);
  checkTexts(logsource, `${path}/logsource`, wrong);
}

function checkNames(
  content: Readonly<Record<string, unknown>>,
  known: readonly string[],
  path: string,
  wrong: Report,
): void {
  for (const name of Object.keys(content))
    if (!known.includes(name)) wrong(`${path}/${name}`, `is unknown; there are ${known.join(', ')}`);
}

function checkText(value: unknown, path: string, wrong: Report): void {
  if (value !== undefined && typeof value !== 'string') wrong(path, 'must be a text');
}

function checkTexts(value: unknown, path: string, wrong: Report): void {
  if (value === undefined) return;
  if (!isMap(value)) wrong(path, 'must be a map of texts');
  else for (const [name, text] of Object.entries(value)) checkText(text, `${path}/${name}`, wrong);
}
