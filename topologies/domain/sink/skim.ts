// The few members that filters look at, read from proved bytes without making the event an object.
//
// Invariant: the bytes are one JSON object (splice-check.ts); the answer is what JSON.parse would give for `event`, `data.severity`
// and `data.category`, the last of several members of one name included.
// Surprise: null means "ask JSON.parse": a name or a text with an escape, which may spell anything.

export type Skimmed = Readonly<Record<'event' | 'data', unknown>>;

/** The event with those three members alone; null when only JSON.parse can tell. */
export function skimEvent(bytes: Buffer, start: number, end: number): Skimmed | null {
  let i = start;
  let depth = 0;
  let inData = false;
  let isName = false;
  let member = other;
  let event: unknown;
  let data: Record<string, unknown> | undefined;
  while (i < end) {
    const c = bytes[i]!;
    if (c === 0x22) {
      const from = ++i;
      let escaped = false;
      for (let d = bytes[i]!; d !== 0x22; d = bytes[i]!) {
        if (d === 0x5c) {
          escaped = true;
          i++;
        }
        i++;
      }
      const to = i++;
      if (isName) {
        isName = false;
        if (depth === 1 || (inData && depth === 2)) {
          if (escaped) return null;
          member = depth === 1 ? topMember(bytes, from, to) : dataMember(bytes, from, to);
        }
      } else if (member !== other) {
        if (escaped) return null;
        const text = bytes.toString('utf8', from, to);
        if (member === isEvent) event = text;
        else if (member === isSeverity) data!.severity = text;
        else if (member === isCategory) data!.category = text;
        else data = undefined;
        member = other;
      }
    } else if (c === 0x7b) {
      depth++;
      i++;
      isName = true;
      if (member === isData) {
        inData = true;
        data = {};
      } else forget();
      member = other;
    } else if (c === 0x7d) {
      if (inData && depth === 2) inData = false;
      depth--;
      i++;
    } else if (c === 0x2c) {
      i++;
      // Arrays are passed as a whole, so whatever is open is an object.
      isName = true;
    } else if (c === 0x5b) {
      forget();
      if (member === isData) data = undefined;
      member = other;
      i = endOfArray(bytes, i);
    } else {
      // A number or a literal: none of them is a text.
      if (member !== other && c !== 0x3a && c > 0x20) {
        forget();
        if (member === isData) data = undefined;
        member = other;
      }
      i++;
    }
  }
  return { event, data };

  /** The member is no text: as good as absent to a filter. */
  function forget(): void {
    if (member === isEvent) event = undefined;
    else if (member === isSeverity) delete data!.severity;
    else if (member === isCategory) delete data!.category;
  }
}

const [other, isEvent, isData, isSeverity, isCategory] = [0, 1, 2, 3, 4];
const nameOf = (text: string): Buffer => Buffer.from(text);
const [eventName, dataName, severityName, categoryName] = ['event', 'data', 'severity', 'category'].map(
  nameOf,
) as [Buffer, Buffer, Buffer, Buffer];

function topMember(bytes: Buffer, from: number, to: number): number {
  return is(bytes, from, to, eventName) ? isEvent : is(bytes, from, to, dataName) ? isData : other;
}

function dataMember(bytes: Buffer, from: number, to: number): number {
  if (is(bytes, from, to, severityName)) return isSeverity;
  return is(bytes, from, to, categoryName) ? isCategory : other;
}

function is(bytes: Buffer, from: number, to: number, name: Buffer): boolean {
  if (to - from !== name.length) return false;
  for (let k = 0; k < name.length; k++) if (bytes[from + k] !== name[k]) return false;
  return true;
}

/** Position after the array that begins at `i`. */
function endOfArray(bytes: Buffer, from: number): number {
  let depth = 0;
  for (let i = from; ; i++) {
    const c = bytes[i]!;
    if (c === 0x22) {
      for (i++; bytes[i] !== 0x22; i++) if (bytes[i] === 0x5c) i++;
    } else if (c === 0x5b) depth++;
    else if (c === 0x5d && --depth === 0) return i + 1;
  }
}
