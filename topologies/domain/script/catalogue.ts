// Which program a call of a script means, and whether it may have these arguments: the catalogue of a host decides, never the caller.
//
// Invariant: what is run is an entry of the catalogue with arguments that fit it, or, where the host allows it, a shell text that the
// action was saved with. Nothing of a call is ever put into a text that a shell reads.
//
// Surprise: a call by words has to spell interpreter and path exactly as the catalogue does; `/a/../b` is no spelling of `/b`.
import type { ScriptEntry } from '@tocsin/schemas/types.ts';
import { RE2JS } from 're2js';

/** What an action asks a host to run. */
export type ScriptCall =
  /** A name of the catalogue. */
  | { readonly script: string; readonly arguments: readonly string[] }
  /** A program and its arguments, which has to be one of the catalogue. */
  | { readonly words: readonly string[] }
  /** A text for /bin/sh; the arguments are its $1, $2 and so on. */
  | { readonly shell: string; readonly arguments: readonly string[] };

export interface Catalogue<Entry extends ScriptEntry = ScriptEntry> {
  readonly scripts: Readonly<Record<string, Entry>>;
  readonly allowShell: boolean;
}

/** What is run: an entry with arguments, or a shell text with arguments. */
export interface ResolvedCall<Entry extends ScriptEntry = ScriptEntry> {
  /** Name in the catalogue; null for a shell text. */
  readonly name: string | null;
  readonly entry: Entry | null;
  readonly shell: string | null;
  readonly arguments: readonly string[];
}

export const defaultTimeLimitSeconds = 300;
const shellEntry = { arguments: { max: 256 } } as const;

/** The program of a call, or why the host refuses it, in one line. */
export function resolveCall<Entry extends ScriptEntry>(
  call: ScriptCall,
  { scripts, allowShell }: Catalogue<Entry>,
): ResolvedCall<Entry> | { readonly refused: string } {
  if ('shell' in call) {
    if (!allowShell) return { refused: 'this host runs no shell commands' };
    const problem = argumentsProblem(shellEntry.arguments, call.arguments);
    if (problem !== null) return { refused: problem };
    return { name: null, entry: null, shell: call.shell, arguments: call.arguments };
  }
  const found = 'script' in call ? named(call, scripts) : spelled(call.words, scripts);
  if ('refused' in found) return found;
  const { name, entry, rest } = found;
  const problem = argumentsProblem(entry.arguments ?? {}, rest);
  if (problem !== null) return { refused: `${name}: ${problem}` };
  return { name, entry, shell: null, arguments: rest };
}

interface Found<Entry> {
  readonly name: string;
  readonly entry: Entry;
  readonly rest: readonly string[];
}

function named<Entry extends ScriptEntry>(
  { script, arguments: rest }: { readonly script: string; readonly arguments: readonly string[] },
  scripts: Readonly<Record<string, Entry>>,
): Found<Entry> | { readonly refused: string } {
  const entry = Object.hasOwn(scripts, script) ? scripts[script] : undefined;
  if (entry === undefined)
    return { refused: `${JSON.stringify(script.slice(0, 64))} is no script of this host` };
  return { name: script, entry, rest };
}

function spelled<Entry extends ScriptEntry>(
  words: readonly string[],
  scripts: Readonly<Record<string, Entry>>,
): Found<Entry> | { readonly refused: string } {
  for (const [name, entry] of Object.entries(scripts)) {
    const { path, interpreter } = entry;
    if (interpreter === undefined && words[0] === path) return { name, entry, rest: words.slice(1) };
    if (interpreter !== undefined && words[1] === path && isProgram(words[0] ?? '', interpreter))
      return { name, entry, rest: words.slice(2) };
  }
  const said = words.slice(0, 2).join(' ').slice(0, 200);
  return { refused: `${JSON.stringify(said)} is no script of this host` };
}

/** `python3` means the interpreter /usr/bin/python3 and the other way round; two paths have to be the same. */
function isProgram(word: string, interpreter: string): boolean {
  if (word === interpreter) return true;
  if (word.includes('/') && interpreter.includes('/')) return false;
  return word.slice(word.lastIndexOf('/') + 1) === interpreter.slice(interpreter.lastIndexOf('/') + 1);
}

/** Why a script may not be given these arguments; null when it may. Values are never shown, they may be anything. */
export function argumentsProblem(
  rules: NonNullable<ScriptEntry['arguments']>,
  given: readonly string[],
): string | null {
  const { min = 0, max = 64, pattern, each = [], max_bytes: maxBytes = 4096 } = rules;
  if (given.length < min || given.length > max)
    return `takes ${min === max ? min : `${min} to ${max}`} arguments, not ${given.length}`;
  for (const [index, argument] of given.entries()) {
    const at = `argument ${index + 1}`;
    if (argument.includes('\0')) return `${at} holds a null character`;
    if (Buffer.byteLength(argument) > maxBytes) return `${at} has more than ${maxBytes} bytes`;
    const source = each[index] ?? pattern;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    const fits = source === undefined ? !/[\u0000-\u001f\u007f]/.test(argument) : matches(source, argument);
    if (!fits) return `${at} does not match ${source ?? 'a text without control characters'}`;
  }
  return null;
}

const compiled = new Map<string, RE2JS>();

function matches(source: string, argument: string): boolean {
  let program = compiled.get(source);
  if (program === undefined) {
    program = RE2JS.compile(source);
    compiled.set(source, program);
  }
  return program.matches(argument);
}

/** Expressions of an entry that are none, as JSON Pointers into it. */
export function entryIssues({ arguments: rules = {} }: ScriptEntry): { path: string; message: string }[] {
  const sources: [string, string | undefined][] = [
    ['/arguments/pattern', rules.pattern],
    ...(rules.each ?? []).map((source, index): [string, string] => [`/arguments/each/${index}`, source]),
  ];
  return sources.flatMap(([path, source]) => {
    if (source === undefined) return [];
    try {
      RE2JS.compile(source);
      return [];
    } catch (error) {
      return [{ path, message: `is no RE2 expression: ${(error as Error).message}` }];
    }
  });
}

/** Why variables may not be set; null when they may. */
export function environmentProblem(
  entry: Pick<ScriptEntry, 'environment'> | null,
  given: Readonly<Record<string, string>>,
): string | null {
  // A shell text has been allowed to do anything; what decides how its own shell works is not for a command to set.
  const allowed = entry === null ? null : new Set(entry.environment ?? []);
  for (const [name, value] of Object.entries(given)) {
    if (!/^[A-Z_][A-Z0-9_]{0,63}$/.test(name)) return 'a variable has no valid name';
    if (allowed === null ? !name.startsWith('TOCSIN_') : !allowed.has(name))
      return `the variable ${name} may not be set`;
    if (value.includes('\0')) return `the variable ${name} holds a null character`;
    if (Buffer.byteLength(value) > 32_768) return `the variable ${name} has more than 32768 bytes`;
  }
  return null;
}

/** Milliseconds that a run may take: what was asked for, within what the catalogue allows. */
export function timeLimitMs(entry: Pick<ScriptEntry, 'time_limit'> | null, asked: number | null): number {
  const most = (entry?.time_limit ?? defaultTimeLimitSeconds) * 1000;
  return asked === null ? most : Math.min(asked, most);
}
