// One pass over a text for each length class of needles: the filter says for each place whether a needle may be there.
//
// Invariant: one step for each byte and class, and for a gram that is there one comparison for each needle registered under it
// that is not yet true in this event.
import { type ContainsIndex, entriesOfGram, entryStride, gramAt } from './contains.ts';
import type { FieldTable } from './fields.ts';
import { foldByte } from './ints.ts';
import { hit, type Run } from './run.ts';

/** Makes the atoms true whose needles are in `memory[start, end)` once ASCII is folded. */
export function searchContains(
  run: Run,
  table: FieldTable,
  field: number,
  index: ContainsIndex,
  memory: Uint8Array,
  start: number,
  end: number,
): void {
  for (let size = 1; size <= 4; size++)
    if (index.classes & (1 << size) && end - start >= size)
      searchClass(run, table, field, index, size, memory, start, end);
}

function searchClass(
  run: Run,
  table: FieldTable,
  field: number,
  index: ContainsIndex,
  size: number,
  memory: Uint8Array,
  start: number,
  end: number,
): void {
  const { filter } = index;
  const words = filter.length - 1;
  const mask = size === 4 ? -1 : (1 << (8 * size)) - 1;
  run.work += end - start;
  let gram = 0;
  for (let i = start; i < start + size - 1; i++)
    gram = (gram << 8) | (foldByte[memory[i] as number] as number);
  for (let i = start + size - 1; i < end; i++) {
    gram = ((gram << 8) | (foldByte[memory[i] as number] as number)) & mask;
    let bit = Math.imul(gram ^ size, 0x9e3779b1);
    bit ^= bit >>> 15;
    if (((filter[(bit >>> 5) & words] as number) & (1 << (bit & 31))) !== 0)
      confirm(run, table, field, index, gram, size, memory, start, end, i - size + 1);
  }
}

/** The needles registered under the gram that stands at `at`. */
function confirm(
  run: Run,
  table: FieldTable,
  field: number,
  index: ContainsIndex,
  gram: number,
  size: number,
  memory: Uint8Array,
  start: number,
  end: number,
  at: number,
): void {
  const { atoms } = table;
  const { entries } = index;
  for (let entry = entriesOfGram(index, gram, size); entry !== 0; ) {
    const place = entryStride * (entry - 1);
    entry = entries[place + 5] as number;
    run.work += 1;
    const from = at - (entries[place + 1] as number);
    const length = entries[place + 2] as number;
    if (from < start || from + length > end) continue;
    const far = entries[place + 3] as number;
    if (far >= 0 && gramAt(memory, from + far, 4) !== entries[place + 4]) continue;
    const atom = entries[place] as number;
    if (atoms.epoch[atom] === run.epoch) continue;
    const offset = atoms.offset[atom] as number;
    const { bytes } = atoms;
    let i = 0;
    while (i < length && foldByte[memory[from + i] as number] === bytes[offset + i]) i++;
    run.work += i;
    if (i === length) hit(run, table, field, atom);
  }
}
