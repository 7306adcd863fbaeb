// Rules of other languages in files: Sigma as YAML, one rule per file; EventBridge patterns as JSON lines or JSON.
//
// Invariant: a file with a fault is one line that names the file and the place, and takes no other file down. YAML aliases
// are followed a hundred times at most, and never in a circle, so that a small file cannot fill the memory.
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { readYamlDocuments } from '@tocsin/adapters/config/yaml-documents.ts';
import { UsageError } from './rules-io.ts';

export type ForeignFormat = 'sigma' | 'eventbridge';

export interface ForeignDocument {
  /** File, with the line for a file of lines. */
  readonly from: string;
  readonly document: unknown;
}

export interface ForeignDocuments {
  readonly documents: readonly ForeignDocument[];
  /** One line per file or line that cannot be read. */
  readonly problems: readonly string[];
}

/** Largest file read, bytes; a file of lines may be larger. */
const maxFileBytes = 4 * 1024 * 1024;

const extensions: Readonly<Record<ForeignFormat, readonly string[]>> = {
  sigma: ['.yml', '.yaml'],
  eventbridge: ['.json', '.jsonl'],
};

/** Everything at `path`, a file or a folder with its subfolders. Throws UsageError when there is no such path. */
export async function readForeign(path: string, format: ForeignFormat): Promise<ForeignDocuments> {
  const documents: ForeignDocument[] = [];
  const problems: string[] = [];
  for (const file of await filesAt(path, format)) {
    const read = format === 'sigma' ? await readSigma(file) : await readPatterns(file);
    documents.push(...read.documents);
    problems.push(...read.problems);
  }
  return { documents, problems };
}

async function filesAt(path: string, format: ForeignFormat): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new UsageError(`there is no ${path}`);
  if (!found.isDirectory()) return [path];
  return (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && extensions[format].includes(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function readSigma(file: string): Promise<ForeignDocuments> {
  const text = await readText(file);
  if (text === null) return problem(file, `larger than ${maxFileBytes} bytes`);
  const read = readYamlDocuments(text);
  if (typeof read === 'string') return problem(file, read);
  if (read.length === 1) return { documents: [{ from: file, document: read[0] }], problems: [] };
  const count = read.length === 0 ? 'no document' : `${read.length} documents`;
  return problem(file, `holds ${count}; a Sigma rule is one document, and collections are not imported`);
}

async function readPatterns(file: string): Promise<ForeignDocuments> {
  if (extname(file) === '.jsonl') return readLines(file);
  const text = await readText(file);
  if (text === null) return problem(file, `larger than ${maxFileBytes} bytes`);
  const content = parseJson(text);
  // A file of one line is often a file of lines by another name.
  if (content === undefined) return text.trim().includes('\n') ? readLines(file) : problem(file, 'not JSON');
  const list = Array.isArray(content) ? content : [content];
  return {
    documents: list.map((document, index) => ({
      from: list.length > 1 ? `${file}#${index}` : file,
      document,
    })),
    problems: [],
  };
}

async function readLines(file: string): Promise<ForeignDocuments> {
  const documents: ForeignDocument[] = [];
  const problems: string[] = [];
  for (const [index, line] of (await readFile(file, 'utf8')).split('\n').entries()) {
    if (line.trim() === '') continue;
    const document = parseJson(line);
    if (document === undefined) problems.push(`${file}:${index + 1}: not JSON`);
    else documents.push({ from: `${file}:${index + 1}`, document });
  }
  return { documents, problems };
}

async function readText(file: string): Promise<string | null> {
  const { size } = await stat(file);
  return size > maxFileBytes ? null : readFile(file, 'utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function problem(file: string, message: string): ForeignDocuments {
  return { documents: [], problems: [`${file}: ${message}`] };
}
