// Removes known secret values from text in every spelling that they travel in.
// Invariant: after `scrub` no registered value is left as itself, JSON-escaped (up to three times: text in JSON in a log line), percent-encoded, in hexadecimal, or
// in base64 or base64url at any alignment, so `user:password` in a Basic header is covered without knowing the user.
// Surprise: values shorter than 6 bytes are not registered; replacing them would destroy ordinary words.

export interface Scrubber {
  /** From now on the value is removed. Values are kept in memory in several spellings until the process ends. */
  register(value: string): void;
  scrub(text: string): string;
}

const MARK = '[secret]';
const MIN_LENGTH = 6;

export function createScrubber(): Scrubber {
  const spellings = new Set<string>();
  let pattern: RegExp | null = null;
  return {
    register(value) {
      if (Buffer.byteLength(value) < MIN_LENGTH) return;
      const before = spellings.size;
      for (const spelling of spellingsOf(value)) if (spelling.length >= MIN_LENGTH) spellings.add(spelling);
      if (spellings.size === before) return;
      // Longest first: an escaped form must not lose its middle to a shorter one and keep its ends.
      const alternatives = [...spellings]
        .sort((a, b) => b.length - a.length)
        .map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
      pattern = new RegExp(alternatives.join('|'), 'g');
    },
    scrub: (text) => (pattern === null ? text : text.replace(pattern, MARK)),
  };
}

function spellingsOf(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  const hex = bytes.toString('hex');
  const once = jsonEscaped(value);
  const twice = jsonEscaped(once);
  const percent = encodeURIComponent(value.toWellFormed());
  const aligned = [0, 1, 2].map((shift) => base64Middle(bytes, shift));
  return [
    value,
    once,
    twice,
    jsonEscaped(twice),
    percent,
    percent.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    new URLSearchParams({ v: value.toWellFormed() }).toString().slice(2),
    hex,
    hex.toUpperCase(),
    ...aligned,
    ...aligned.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    // Whole, so that a value on its own leaves no rest at its end.
    bytes.toString('base64'),
    bytes.toString('base64url'),
  ];
}

function jsonEscaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

// The base64 characters that depend on these bytes alone when `shift` bytes of something else stand before them.
function base64Middle(bytes: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
  const first = Math.ceil((shift * 8) / 6);
  const last = Math.floor(((shift + bytes.length) * 8) / 6);
  return text.slice(first, last);
}
