// Every YAML document of one text as data, for files whose number of documents matters.
//
// Invariant: what is answered is a tree. The YAML library makes a circle of an alias within its own anchor; that is refused,
// because nothing that reads the data expects to go round.
import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments, parseDocument, stringify } from 'yaml';

/** How often aliases of one document are followed: a small text must not grow without bound. */
const maxAliasCount = 100;

/** The documents, empty ones left out; or why the text is no YAML 1.2, with line and column. */
export function readYamlDocuments(text: string): readonly unknown[] | string {
  try {
    const documents: unknown[] = [];
    for (const document of parseAllDocuments(text, { uniqueKeys: true, version: '1.2' })) {
      const [error] = document.errors;
      if (error !== undefined) return error.message.split('\n')[0] as string;
      const value: unknown = document.toJS({ maxAliasCount });
      if (hasCircle(value, new Set())) return 'an alias stands within its own anchor';
      if (value !== null && value !== undefined) documents.push(value);
    }
    return documents;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function hasCircle(value: unknown, above: Set<unknown>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (above.has(value)) return true;
  above.add(value);
  const found = Object.values(value).some((below) => hasCircle(below, above));
  above.delete(value);
  return found;
}

/** Data as YAML for people: nothing is shortened to an alias, and long lines stay lines. */
export function writeYaml(value: unknown): string {
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
}

/**
 * The text of one document with a member set. Where the member is new it is put at the end, and every byte before it stays;
 * otherwise comments stay and the layout may change.
 */
export function withMember(text: string, name: string, value: unknown): string {
  const member = writeYaml({ [name]: value });
  const [before] = readYamlDocuments(text) as readonly Record<string, unknown>[];
  const appended = `${text.trimEnd()}\n${member}`;
  const after = readYamlDocuments(appended);
  if (
    before !== undefined &&
    !Object.hasOwn(before, name) &&
    isDeepStrictEqual(after, [{ ...before, [name]: value }])
  )
    return appended;
  const document = parseDocument(text, { version: '1.2' });
  document.set(name, document.createNode(value, { aliasDuplicateObjects: false }));
  return document.toString({ lineWidth: 0 });
}
