// Elements of a parsed event or of a row of a search result, in the form in which the scanner reports those of bytes.
//
// Invariant: for every slot the entries are what elementsAt gives for its path; a path that is there with only empty lists has
// one entry of kind emptyList.
import { type Elements, elementFlag, elementKind } from '@tocsin/schemas/codecs/scan/elements.ts';
import { elementsAt, type Path, type Subject } from '../path.ts';
import { grownBytes, grownDoubles, grownInts } from './ints.ts';
import type { ElementSource } from './run.ts';

export interface ValueSource extends ElementSource {
  /** Takes the elements of `subject` at `paths`; the index of a path is the slot. */
  read(subject: Subject, paths: readonly Path[]): void;
}

type Writable = { -readonly [Name in keyof Elements]: Elements[Name] };

export function createValueSource(hashText: (text: Uint8Array) => number): ValueSource {
  const elements: Writable = {
    count: 0,
    slot: new Int32Array(64),
    kind: new Uint8Array(64),
    flags: new Uint8Array(64),
    start: new Int32Array(64),
    end: new Int32Array(64),
    hash: new Int32Array(64),
    owner: new Int32Array(64),
    value: new Float64Array(64),
    memory: Buffer.alloc(1024),
  };
  const texts: string[] = [];
  let used = 0;
  const add = (slot: number, kind: number): number => {
    const at = elements.count;
    if (at === elements.kind.length) {
      for (const name of ['slot', 'start', 'end', 'hash', 'owner'] as const)
        elements[name] = grownInts(elements[name], at + 1);
      elements.value = grownDoubles(elements.value, elements.slot.length);
      const kinds = new Uint8Array(elements.slot.length);
      kinds.set(elements.kind);
      elements.kind = kinds;
      const flags = new Uint8Array(elements.slot.length);
      flags.set(elements.flags);
      elements.flags = flags;
    }
    elements.count += 1;
    elements.slot[at] = slot;
    elements.kind[at] = kind;
    elements.flags[at] = 0;
    elements.owner[at] = -1;
    texts[at] = '';
    return at;
  };
  const addText = (slot: number, text: string): void => {
    const at = add(slot, elementKind.string);
    texts[at] = text;
    // Control characters count as escaped: JSON cannot have them otherwise, and the short way relies on it.
    if (!isPlain(text)) {
      elements.flags[at] = elementFlag.escaped;
      return;
    }
    const end = used + text.length;
    if (end > elements.memory.length) {
      const grown = grownBytes(elements.memory, end);
      elements.memory = Buffer.from(grown.buffer, grown.byteOffset, grown.byteLength);
    }
    elements.memory.write(text, used, 'latin1');
    elements.start[at] = used;
    elements.end[at] = end;
    elements.hash[at] = hashText(elements.memory.subarray(used, end));
    used = end;
  };
  return {
    elements,
    text: (index) => texts[index] as string,
    read(subject, paths) {
      elements.count = 0;
      texts.length = 0;
      used = 0;
      for (const [slot, path] of paths.entries()) {
        const found = elementsAt(subject, [path]);
        if (found === null) continue;
        if (found.length === 0) add(slot, elementKind.emptyList);
        for (const element of found) {
          if (typeof element === 'string') addText(slot, element);
          else if (typeof element === 'number') elements.value[add(slot, elementKind.number)] = element;
          else if (typeof element === 'boolean') add(slot, element ? elementKind.true : elementKind.false);
          else add(slot, element === null ? elementKind.null : elementKind.object);
        }
      }
    },
  };
}

/** Printable ASCII. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit > 0x7e) return false;
  }
  return true;
}
