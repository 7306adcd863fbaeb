// From the elements of an event to its true atoms: every element is looked up in every structure of its fields.
//
// Invariant: work is linear in the bytes of the elements for a given set of rules. ASCII strings without escapes, nearly all,
// are read where they stand; any other string takes the way over its text, folded by Unicode.
import { elementKind } from '@tocsin/schemas/codecs/scan/elements.ts';
import { fold } from '../fold.ts';
import { severityRank } from '../severity.ts';
import { atomSort, findExact, findFolded, findNumbers } from './atoms.ts';
import { searchContains } from './contains-search.ts';
import { asks, type FieldIndex, type FieldTable, foldedAsks } from './fields.ts';
import { stab } from './intervals.ts';
import { foldByte, hashNumber } from './ints.ts';
import { lookUpAddress, lookUpAddressText } from './networks.ts';
import { type ElementSource, hit, keepNumber, type Run, see } from './run.ts';
import { rankOfBytes } from './severity-words.ts';
import { textBytes } from './text-bytes.ts';

/** Finds every true atom. `fieldsOf[slot]` are the fields that an element of that slot belongs to. */
export function lookUp(
  run: Run,
  table: FieldTable,
  source: ElementSource,
  fieldsOf: readonly (readonly FieldIndex[])[],
): void {
  const { count, slot, kind, flags } = source.elements;
  run.work += count;
  for (let i = 0; i < count; i++) {
    const fields = fieldsOf[slot[i] as number] as readonly FieldIndex[];
    const sort = kind[i] as number;
    for (let f = 0; f < fields.length; f++) {
      const field = fields[f] as FieldIndex;
      see(run, table, field);
      if (sort === elementKind.emptyList) continue;
      (run.elements[field.id] as number) += 1;
      if (sort === elementKind.string) {
        if (field.asks === 0) continue;
        if (flags[i] === 0) lookUpAscii(run, table, source, field, i);
        else lookUpText(run, table, source.text(i), field);
      } else if (sort === elementKind.number)
        lookUpNumber(run, table, field, source.elements.value[i] as number);
      else if (sort === elementKind.true) hit(run, table, field.id, field.true);
      else if (sort === elementKind.false) hit(run, table, field.id, field.false);
      else if (sort === elementKind.null) hit(run, table, field.id, field.null);
    }
  }
}

function lookUpNumber(run: Run, table: FieldTable, field: FieldIndex, value: number): void {
  if (field.asks & asks.number) {
    const atom = findNumbers(table.atoms, field.id * 16 + atomSort.number, hashNumber(value), value, 0);
    if (atom >= 0) hit(run, table, field.id, atom);
  }
  if (field.asks & asks.range) keepNumber(run, field.id, value);
  if (field.asks & asks.intervals && field.intervals !== null)
    stab(field.intervals, value, (atom) => hit(run, table, field.id, atom));
}

function lookUpAscii(run: Run, table: FieldTable, source: ElementSource, field: FieldIndex, i: number): void {
  const { atoms } = table;
  const { elements } = source;
  const memory = elements.memory;
  const start = elements.start[i] as number;
  const end = elements.end[i] as number;
  const hash = elements.hash[i] as number;
  const kind = field.id * 16;
  const wanted = field.asks;
  if (wanted & asks.text) {
    const atom = findFolded(atoms, kind + atomSort.text, hash, memory, start, end);
    if (atom >= 0) hit(run, table, field.id, atom);
  }
  if (wanted & asks.exact) {
    const atom = findExact(atoms, kind + atomSort.exact, hash, memory, start, end);
    if (atom >= 0) hit(run, table, field.id, atom);
  }
  if (wanted & asks.identifier) lookUpIdentifier(run, table, field, memory, start, end, hash);
  if (wanted & asks.severity) {
    const rank = rankOfBytes(table.severityWords, hash, memory, start, end);
    if (rank >= 0) hitRank(run, table, field, rank);
  }
  if (wanted & (asks.prefix | asks.suffix | asks.contains))
    lookUpParts(run, table, field, memory, start, end);
  if (wanted & asks.cidr) lookUpAddress(run, table, field, memory, start, end);
}

/** ASCII `memory[start, end)`, spaces around it left out; the only white space that JSON lets stand unescaped. */
function lookUpIdentifier(
  run: Run,
  table: FieldTable,
  field: FieldIndex,
  memory: Uint8Array,
  start: number,
  end: number,
  hash: number,
): void {
  let from = start;
  let to = end;
  while (from < to && memory[from] === 0x20) from++;
  while (from < to && memory[to - 1] === 0x20) to--;
  const trimmed = to - from === end - start ? hash : table.hashText(memory.subarray(from, to));
  const atom = findFolded(table.atoms, field.id * 16 + atomSort.identifier, trimmed, memory, from, to);
  if (atom >= 0) hit(run, table, field.id, atom);
}

function hitRank(run: Run, table: FieldTable, field: FieldIndex, rank: number): void {
  const atom = field.severities[rank] as number;
  if (atom >= 0) hit(run, table, field.id, atom);
}

function lookUpParts(
  run: Run,
  table: FieldTable,
  field: FieldIndex,
  memory: Uint8Array,
  start: number,
  end: number,
): void {
  const { atoms } = table;
  const { prefixLengths, suffixLengths, contains } = field;
  let hash = table.seed;
  let done = 0;
  for (let p = 0; p < prefixLengths.length; p++) {
    const length = prefixLengths[p] as number;
    if (length > end - start) break;
    for (; done < length; done++)
      hash = Math.imul(hash ^ (foldByte[memory[start + done] as number] as number), 0x01000193);
    const atom = findFolded(atoms, field.id * 16 + atomSort.prefix, hash, memory, start, start + length);
    if (atom >= 0) hit(run, table, field.id, atom);
  }
  hash = table.seed;
  done = 0;
  for (let s = 0; s < suffixLengths.length; s++) {
    const length = suffixLengths[s] as number;
    if (length > end - start) break;
    for (; done < length; done++)
      hash = Math.imul(hash ^ (foldByte[memory[end - 1 - done] as number] as number), 0x01000193);
    const atom = findFolded(atoms, field.id * 16 + atomSort.suffix, hash, memory, end - length, end);
    if (atom >= 0) hit(run, table, field.id, atom);
  }
  if (contains !== null) searchContains(run, table, field.id, contains, memory, start, end);
}

/** Any text, with the folding and trimming that each comparison asks for. */
export function lookUpText(run: Run, table: FieldTable, text: string, field: FieldIndex): void {
  const { atoms } = table;
  const kind = field.id * 16;
  if (field.asks & foldedAsks) {
    const bytes = textBytes(fold(text));
    if (field.asks & asks.text) {
      const atom = findFolded(atoms, kind + atomSort.text, table.hashText(bytes), bytes, 0, bytes.length);
      if (atom >= 0) hit(run, table, field.id, atom);
    }
    lookUpParts(run, table, field, bytes, 0, bytes.length);
  }
  if (field.asks & asks.exact) {
    const bytes = textBytes(text);
    const atom = findExact(atoms, kind + atomSort.exact, table.hashText(bytes), bytes, 0, bytes.length);
    if (atom >= 0) hit(run, table, field.id, atom);
  }
  if (field.asks & asks.cidr) lookUpAddressText(run, table, field, text);
  if (field.asks & asks.identifier) {
    const bytes = textBytes(text.trim().toUpperCase());
    const atom = findFolded(atoms, kind + atomSort.identifier, table.hashText(bytes), bytes, 0, bytes.length);
    if (atom >= 0) hit(run, table, field.id, atom);
  }
  const rank = field.asks & asks.severity ? severityRank(text) : undefined;
  if (rank !== undefined) hitRank(run, table, field, rank);
}
