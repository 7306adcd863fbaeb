// Rules about any text below a path: what may be in such a text is looked for in the document as a whole.
//
// Invariant: no needle is missed. Found is more than there is (names of members, texts elsewhere), so whoever uses these atoms asks
// the condition itself as well.
// Surprise: the bytes can stand for the texts only while no text is written otherwise than it is read: without escapes, in ASCII,
// and when rules ask for nothing but parts of texts. Else the event is parsed.
import { isAscii } from 'node:buffer';
import { elementsAt } from '../path.ts';
import { searchContains } from './contains-search.ts';
import { asks, type FieldIndex, type FieldTable } from './fields.ts';
import { lookUpText } from './lookup.ts';
import { type Run, see, subjectOf } from './run.ts';

/** Makes the atoms of `field`, whose paths mean all texts below them, true for the document `memory[0, end)`. */
export function lookUpTexts(
  run: Run,
  table: FieldTable,
  field: FieldIndex,
  memory: Buffer,
  end: number,
): void {
  see(run, table, field);
  if (field.asks === 0) return;
  const document = memory.subarray(0, end);
  if (
    field.asks === asks.contains &&
    field.contains !== null &&
    !document.includes(0x5c) &&
    isAscii(document)
  ) {
    searchContains(run, table, field.id, field.contains, memory, 0, end);
    return;
  }
  for (const text of elementsAt(subjectOf(run), field.paths) ?? [])
    if (typeof text === 'string') lookUpText(run, table, text, field);
}
