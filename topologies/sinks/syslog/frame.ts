// Writes one event as one syslog message, with the framing of its transport around it.
//
// Invariant: what is written is what `messageText` makes of the same event, byte for byte (frame.prop.test.ts); it never exceeds
// maxMessageBytes, and it holds no line feed but the one that ends it.
// Surprise: the event is not parsed. The compiled scan reports where the wanted values lie, plain ones are copied from there, and only
// values with escapes, lists and characters that the format escapes become strings on the way.
import { type Elements, elementKind, type Scanner, scanOk } from '@tocsin/schemas/codecs/scan/elements.ts';
import { createScanner } from '@tocsin/schemas/codecs/scan/scanner.ts';
import type { SinkFrames } from '../../domain/sink/define-sink.ts';
import { elementsText, fittingText, isName, mayBe } from './kinds.ts';
import { eventSlot, type Layout, severitySlot } from './layout.ts';
import { messageText } from './message.ts';
import { type FieldPart, fromPosition, fromTime, severityNumbers } from './parts.ts';
import { countBytes, createTexts, putCount, putEpoch } from './texts.ts';
import { copyEvent, parsedValues, positionOf, timeOf } from './values.ts';

export interface FrameOptions {
  readonly layout: Layout;
  readonly maxMessageBytes: number;
  readonly maxEventBytes: number;
  /** Length before each message, or a line feed after it. */
  readonly framing: 'octet-counting' | 'lf';
  /** A message was shortened. */
  readonly onCut: () => void;
  /** Parses every event: what the scan is held against. */
  readonly slow?: boolean;
}

/** The digits of any length, and a space. */
const mostCountBytes = 8;
const seed = 1;
const del = 0x7f;

// What came of a field.
const noRoom = -1;
const nothing = 0;
const written = 1;
const notPlain = 2;

/** The frame function; one frame at a time. */
export function syslogFrame(options: FrameOptions): SinkFrames {
  const { layout, maxMessageBytes, maxEventBytes, framing, onCut, slow = false } = options;
  const scanner = createScanner(layout.paths, seed);
  const { elements } = scanner;
  const { memory } = elements;
  const first = new Int32Array(layout.paths.length);
  const several = new Uint8Array(layout.paths.length);
  const texts = createTexts();
  const counted = framing === 'octet-counting';
  // Of the frame at hand.
  let target: Buffer = memory;
  let at = 0;
  let limit = 0;
  let ms = Number.NaN;
  let type = '';
  let rank = -1;
  let position: () => string = () => '';

  /** Notes where the values of each path are. */
  function index(): void {
    first.fill(-1);
    several.fill(0);
    for (let k = 0; k < elements.count; k++) {
      const kind = elements.kind[k]!;
      if (kind === elementKind.null || kind === elementKind.emptyList) continue;
      const slot = elements.slot[k]!;
      if (first[slot] === -1) first[slot] = k;
      else several[slot] = 1;
    }
  }

  function textAt(slot: number): string | null {
    const k = first[slot]!;
    if (k < 0) return null;
    if (several[slot] === 0) return scalarText(k);
    const values: unknown[] = [];
    for (let n = k; n < elements.count; n++)
      if (elements.slot[n] === slot && elements.kind[n] !== elementKind.emptyList)
        values.push(elementValue(elements, scanner, n));
    return elementsText(values);
  }

  function scalarText(k: number): string | null {
    const kind = elements.kind[k]!;
    if (kind === elementKind.string) {
      if (elements.flags[k] !== 0) return scanner.text(k);
      return texts.ofAscii(memory, elements.start[k]!, elements.end[k]!);
    }
    return kind === elementKind.number
      ? String(elements.value[k]!)
      : elementsText([elementValue(elements, scanner, k)]);
  }

  function put(bytes: Buffer): boolean {
    const { length } = bytes;
    if (at + length > limit) return false;
    if (length > 48) bytes.copy(target, at);
    else for (let k = 0; k < length; k++) target[at + k] = bytes[k]!;
    at += length;
    return true;
  }

  function putText(text: string): boolean {
    if (at + 3 * text.length > limit && at + Buffer.byteLength(text) > limit) return false;
    at += target.write(text, at, 'utf8');
    return true;
  }

  function putHead(part: FieldPart, separator: boolean): boolean {
    if (separator && part.separator !== '') {
      if (at >= limit) return false;
      target[at++] = part.separator.charCodeAt(0);
    }
    return put(part.beforeBytes);
  }

  function putEncoded(part: FieldPart, text: string, separator: boolean): number {
    return putHead(part, separator) && putText(part.encode(text, part.max)) && put(part.afterBytes)
      ? written
      : noRoom;
  }

  /** The text of a scanned string, byte for byte. */
  function putPlain(part: FieldPart, k: number, separator: boolean): number {
    const from = elements.start[k]!;
    const to = elements.end[k]!;
    if (to === from) return nothing;
    if (to - from > part.max) return notPlain;
    const began = at;
    if (!putHead(part, separator) || at + (to - from) > limit) return noRoom;
    const { stop } = part;
    let write = at;
    for (let read = from; read < to; read++) {
      const c = memory[read]!;
      if (c === stop || c === del) {
        at = began;
        return notPlain;
      }
      target[write++] = c;
    }
    at = write;
    return put(part.afterBytes) ? written : noRoom;
  }

  function putSource(part: FieldPart, slot: number, separator: boolean): number {
    let text: string | null;
    if (slot >= 0) {
      const k = first[slot]!;
      if (k < 0) return nothing;
      if (several[slot] === 0 && elements.kind[k] === elementKind.string && elements.flags[k] === 0) {
        const from = elements.start[k]!;
        const to = elements.end[k]!;
        if (!mayBe(part.kind, memory, from, to)) return nothing;
        if (part.kind === 'text' || part.kind === 'id' || isName(part.kind, memory, from, to)) {
          const copied = putPlain(part, k, separator);
          if (copied !== notPlain) return copied;
        }
      }
      text = textAt(slot);
    } else if (slot === fromTime) {
      if (part.kind === 'time' && ms >= 1e12 && ms < 1e13) {
        if (!putHead(part, separator) || at + 13 > limit) return noRoom;
        at = putEpoch(target, at, ms);
        return put(part.afterBytes) ? written : noRoom;
      }
      text = Number.isNaN(ms) ? null : String(ms);
    } else if (slot === fromPosition) text = position();
    else text = rank < 0 ? null : severityNumbers[rank]!;
    const fitting = text === null ? null : fittingText(part.kind, text, part.max);
    return fitting === null ? nothing : putEncoded(part, fitting, separator);
  }

  function putField(part: FieldPart, separator: boolean): number {
    const { slots, otherwise } = part;
    for (let s = 0; s < slots.length; s++) {
      const found = putSource(part, slots[s]!, separator);
      if (found !== nothing) return found;
    }
    if (otherwise === undefined) return nothing;
    const fits =
      putHead(part, separator) && put(texts.otherwise(part, otherwise, type)) && put(part.afterBytes);
    return fits ? written : noRoom;
  }

  /** Writes the message from the scan; false when it is too long. */
  function putMessage(source: Buffer, start: number, end: number): boolean {
    let separator = false;
    for (const part of layout.parts) {
      if (part.type === 'field') {
        const found = putField(part, separator);
        if (found === noRoom) return false;
        if (found === written) separator = true;
        continue;
      }
      separator = false;
      let fits = true;
      if (part.type === 'literal') fits = put(part.bytes);
      else if (part.type === 'by-severity') fits = put(part.bytes.at(rank)!);
      else if (part.type === 'time') fits = put(texts.ofTime(part, ms));
      else if (part.type === 'event-type') fits = put(texts.ofType(part, type));
      else {
        fits = at + (end - start) <= limit;
        if (fits) at = copyEvent(source, start, end, target, at);
      }
      if (!fits) return false;
    }
    return true;
  }

  return {
    maxEventBytes,
    overheadBytes: maxMessageBytes + mostCountBytes,
    frame(out, start, source, from, to, marks, batch, record) {
      const body = counted ? start + countBytes : start;
      target = out;
      at = body;
      limit = body + maxMessageBytes;
      ms = timeOf(source, marks, batch, record);
      position = () => positionOf(batch, record);
      let done = false;
      if (!slow && scanner.scan(source, from, to) === scanOk) {
        index();
        type = textAt(eventSlot) ?? '';
        const severity = textAt(severitySlot);
        rank = severity === null ? -1 : texts.rankOf(severity);
        done = putMessage(source, from, to);
      }
      if (!done) {
        const values = parsedValues(source, from, to, layout, { ms, position: position() });
        const { text, shortened } = messageText(layout, values, maxMessageBytes);
        at = body + out.write(text, body, 'utf8');
        if (shortened) onCut();
      }
      if (counted) return putCount(out, start, at);
      out[at++] = 0x0a;
      return at;
    },
  };
}

function elementValue(elements: Elements, scanner: Scanner, k: number): unknown {
  const kind = elements.kind[k]!;
  if (kind === elementKind.string) return scanner.text(k);
  if (kind === elementKind.number) return elements.value[k];
  if (kind === elementKind.object)
    return JSON.parse(elements.memory.toString('utf8', elements.start[k], elements.end[k]));
  return kind === elementKind.null ? null : kind === elementKind.true;
}
