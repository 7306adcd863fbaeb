// What a Sigma rule says about itself, kept in the rule: id, name, who wrote it under which licence, level and tags.
//
// The surprise: the Detection Rule License 1.1, under which SigmaHQ publishes, asks that authors stay named; the
// description therefore ends with them and is shortened before them, never there.
import type { Rule } from '@tocsin/schemas/types.ts';
import { ImportRefusal, isMap, pointer } from '../imported.ts';
import { type LogSource, logSourceNames } from './profile.ts';

export type SigmaRule = Readonly<Record<string, unknown>>;

/** Levels in their order, with the priority that a rule gets. */
export const priorities: Readonly<Record<string, number>> = {
  informational: 10,
  low: 30,
  medium: 50,
  high: 70,
  critical: 90,
};

const statuses = ['stable', 'test', 'experimental', 'deprecated', 'unsupported'];
const licence =
  'Detection Rule License 1.1 (https://github.com/SigmaHQ/Detection-Rule-License) for rules of SigmaHQ';
const longest = { name: 128, description: 4096, tag: 128, tags: 50 };

export interface Metadata {
  readonly fields: Pick<Rule, 'id' | 'name' | 'description' | 'priority' | 'tags'> & { enabled?: false };
  readonly notes: readonly string[];
}

/** Refuses with the place of the fault. */
export function readMetadata(rule: SigmaRule): Metadata {
  const title = textAt(rule, 'title');
  if (title === undefined || title.trim() === '') throw new ImportRefusal('/title', 'is missing');
  const level = oneOf(rule, 'level', Object.keys(priorities));
  const status = oneOf(rule, 'status', statuses);
  const retired = status === 'deprecated' || status === 'unsupported';
  const notes = retired ? [`the status is ${status}: the rule is imported switched off`] : [];
  const tags = tagsOf(rule, level, status);
  return {
    fields: {
      id: idOf(rule, title),
      name: shortened(title.trim(), longest.name),
      description: descriptionOf(rule, title),
      ...(retired ? { enabled: false } : {}),
      ...(level === undefined ? {} : { priority: priorities[level] as number }),
      ...(tags.length === 0 ? {} : { tags: tags.slice(0, longest.tags) }),
    },
    notes: tags.length > longest.tags ? [...notes, `only ${longest.tags} of ${tags.length} tags fit`] : notes,
  };
}

/** The log source, checked. */
export function readLogSource(rule: SigmaRule): LogSource {
  const { logsource } = rule;
  if (!isMap(logsource))
    throw new ImportRefusal('/logsource', 'must be a map of category, product and service');
  const named = logSourceNames.flatMap((name) => {
    const text = textAt(logsource, name, '/logsource');
    return text === undefined ? [] : [[name, text] as const];
  });
  if (named.length === 0)
    throw new ImportRefusal('/logsource', 'names neither category, product nor service');
  return Object.fromEntries(named);
}

function idOf(rule: SigmaRule, title: string): string {
  const given = textAt(rule, 'id') ?? title;
  const id = given
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 128);
  if (id === '') throw new ImportRefusal('/id', 'has no letter or digit to make an id of');
  return id;
}

function tagsOf(rule: SigmaRule, level: string | undefined, status: string | undefined): string[] {
  const { tags = [] } = rule;
  if (!Array.isArray(tags)) throw new ImportRefusal('/tags', 'must be a list of texts');
  const own = tags.map((tag, index) => {
    if (typeof tag === 'string' && tag !== '' && tag.length <= longest.tag) return tag;
    throw new ImportRefusal(`/tags/${index}`, `must be a text of at most ${longest.tag} characters`);
  });
  const source = readLogSource(rule);
  const logsource = logSourceNames.flatMap((name) =>
    source[name] === undefined ? [] : [shortened(`logsource.${name}.${source[name]}`, longest.tag)],
  );
  return [
    ...new Set([
      ...own,
      ...(level === undefined ? [] : [`level.${level}`]),
      ...(status === undefined ? [] : [`status.${status}`]),
      ...logsource,
    ]),
  ];
}

function descriptionOf(rule: SigmaRule, title: string): string {
  const id = textAt(rule, 'id');
  const author = textAt(rule, 'author');
  const origin = [
    `Sigma rule${id === undefined ? '' : ` ${id}`}: ${title.trim()}`,
    `Author: ${author ?? 'not named'}`,
    `Licence: ${textAt(rule, 'license') ?? licence}`,
    ...['date', 'modified'].flatMap((name) => {
      const text = textAt(rule, name);
      return text === undefined ? [] : [`${name === 'date' ? 'Date' : 'Modified'}: ${text}`];
    }),
    ...listOf(rule, 'references', 'References'),
  ].join('\n');
  const text = [
    textAt(rule, 'description')?.trim() ?? '',
    ...listOf(rule, 'falsepositives', 'False positives'),
  ]
    .filter((part) => part !== '')
    .join('\n');
  const end = shortened(origin, longest.description);
  const room = longest.description - end.length - 2;
  return text === '' || room < 1 ? end : `${shortened(text, room)}\n\n${end}`;
}

function listOf(rule: SigmaRule, name: string, title: string): string[] {
  const value = rule[name];
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  return list.length === 0 ? [] : [`${title}: ${list.map(String).join(', ')}`];
}

function oneOf(rule: SigmaRule, name: string, known: readonly string[]): string | undefined {
  const text = textAt(rule, name)?.toLowerCase();
  if (text === undefined || known.includes(text)) return text;
  throw new ImportRefusal(pointer(name), `must be one of ${known.join(', ')}`);
}

function textAt(map: Readonly<Record<string, unknown>>, name: string, path = ''): string | undefined {
  const value = map[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw new ImportRefusal(path + pointer(name), 'must be a text');
}

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
