// One Sigma rule, read from YAML, as a rule of this project; or the reason why it cannot be one.
//
// Source: Sigma specification 2.1 (https://github.com/SigmaHQ/sigma-specification). What is kept and what differs is
// written in docs/imports.md.
import type { Rule } from '@tocsin/schemas/types.ts';
import { type Imported, ImportRefusal, importing, isMap } from '../imported.ts';
import { writeBlock } from '../write-when.ts';
import { readDetection } from './detection.ts';
import type { FieldNames } from './item-clause.ts';
import { readLogSource, readMetadata } from './metadata.ts';
import { type ChosenSource, chooseSource, defaultProfile, type SourceProfile } from './profile.ts';

export interface ImportOptions {
  /** What the rule does: the ids of actions. At least one. */
  readonly actions: readonly string[];
}

/** `document` is one YAML document as data. Its faults are JSON Pointers into it. Never throws. */
export function importSigma(
  document: unknown,
  { actions }: ImportOptions,
  profile: SourceProfile = defaultProfile,
): Imported {
  return importing(() => {
    const sigma = soleRule(document);
    const { fields, notes } = readMetadata(sigma);
    const source = chooseSource(profile, readLogSource(sigma));
    if (source === null) throw new ImportRefusal('/logsource', 'no source of the profile fits');
    const { clause, unused } = readDetection(sigma['detection'], namesOf(source, profile));
    const when = withBase(source.when, writeBlock(clause));
    const then = actions.map((action) => ({ action }));
    const rule = { kind: 'rule', ...fields, when, then } as Rule;
    const more = unused.map((name) => `the condition does not use ${name}`);
    return { rule, notes: [...notes, ...more] };
  });
}

/** Correlations, filters and collections are documents of the same format and no rules. */
function soleRule(document: unknown): Readonly<Record<string, unknown>> {
  if (!isMap(document)) throw new ImportRefusal('', 'a Sigma rule is a map');
  if (document['correlation'] !== undefined)
    throw new ImportRefusal('/correlation', 'a correlation looks at several events; rules look at one');
  if (document['filter'] !== undefined)
    throw new ImportRefusal(
      '/filter',
      'a filter changes other rules; import these with their exceptions instead',
    );
  if (document['action'] !== undefined)
    throw new ImportRefusal('/action', 'collections of documents are not imported; write one rule per file');
  if (document['detection'] === undefined) throw new ImportRefusal('/detection', 'is missing');
  return document;
}

function namesOf({ path, prefix }: ChosenSource, { lists, zone }: SourceProfile): FieldNames {
  return {
    path,
    anywhere: prefix === 'envelope.' ? '*' : `${prefix}*`,
    zone,
    list: (placeholder) =>
      Object.hasOwn(lists, placeholder) ? (lists[placeholder] as string) : placeholder.toLowerCase(),
  };
}

/** The conditions of the source and of the rule, both of which must hold. */
function withBase(
  base: Readonly<Record<string, unknown>>,
  own: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  if (Object.keys(base).length === 0) return { ...own };
  const both = Object.keys(base).some((name) => Object.hasOwn(own, name));
  return both ? { all: [base, own] } : { ...base, ...own };
}
