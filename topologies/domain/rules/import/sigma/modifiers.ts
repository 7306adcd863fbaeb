// The value modifiers of Sigma, in the order in which a rule writes them.
//
// Invariant: a modifier that does not exist, or that does not fit the value it is given, refuses the rule.
// Source: Sigma modifiers appendix 2.1; where it leaves the order or the types open, pySigma 2 decides.
import {
  encodeBase64,
  encodeBase64Offsets,
  encodeUtf16,
  maxVariedDashes,
  optionDashes,
  type Utf16,
  varyDashes,
} from './encodings.ts';
import { ANY, joinParts, literalOf, mapLiterals, type SigmaText, type TextPart } from './text.ts';
import { type DatePart, dateParts, type Value } from './value.ts';

export interface Applied {
  readonly values: readonly (readonly Value[])[];
  readonly linking: 'any' | 'all';
  readonly negated: boolean;
}

/** What a modifier sees: the value, whether modifiers stood before it, and how to refuse. */
interface Place {
  readonly first: boolean;
  readonly refuse: (message: string) => never;
}

type TextValue = Extract<Value, { kind: 'text' }>;

type Change = (value: Value, place: Place) => Value | readonly Value[];

const changes: Readonly<Record<string, Change>> = {
  contains: (value, place) => placed(value, 'contains', place),
  startswith: (value, place) => placed(value, 'prefix', place),
  endswith: (value, place) => placed(value, 'suffix', place),
  cased: (value, place) => ({ ...textOf(value, place), cased: true }),
  windash: (value, place) => withDashes(textOf(value, place), place),
  base64: (value, place) => plainText(encodeBase64(bytesOf(value, place))),
  base64offset: (value, place) => encodeBase64Offsets(bytesOf(value, place)).map(plainText),
  wide: (value, place) => inUtf16(value, 'utf16le', place),
  utf16le: (value, place) => inUtf16(value, 'utf16le', place),
  utf16be: (value, place) => inUtf16(value, 'utf16be', place),
  utf16: (value, place) => inUtf16(value, 'utf16', place),
  i: (value, place) => withFlag(value, 'i', place),
  ignorecase: (value, place) => withFlag(value, 'i', place),
  m: (value, place) => withFlag(value, 'm', place),
  multiline: (value, place) => withFlag(value, 'm', place),
  s: (value, place) => withFlag(value, 's', place),
  dotall: (value, place) => withFlag(value, 's', place),
  cidr: (value, place) => ({ kind: 'cidr', network: unmodified(value, place) }),
  exists: (value, { first, refuse }) =>
    first && value.kind === 'scalar' && typeof value.value === 'boolean'
      ? { kind: 'exists', there: value.value }
      : refuse('exists takes true or false, and no modifier before it'),
  fieldref: (value, place) => ({ kind: 'field', name: literal(value, place), at: 'equal' }),
  expand: (value, { refuse }) => expanded(value, refuse),
  gt: (value, place) => compared(value, 'gt', place),
  gte: (value, place) => compared(value, 'gte', place),
  lt: (value, place) => compared(value, 'lt', place),
  lte: (value, place) => compared(value, 'lte', place),
  ...Object.fromEntries(
    dateParts.map((part): [string, Change] => [part, (value, place) => datePart(value, part, place)]),
  ),
};

/** Every modifier there is; `re` is first of all because it changes how the value is read, `all` and `neq` are about the whole. */
export const modifierNames: readonly string[] = ['all', 'neq', 're', ...Object.keys(changes)];

/** Applies the modifiers one after the other. `refuse` reports one fault of this item and does not return. */
export function applyModifiers(
  values: readonly Value[],
  names: readonly string[],
  refuse: (message: string) => never,
): Applied {
  let current: readonly (readonly Value[])[] = values.map((value) => [value]);
  const unknown = names.find((name) => !modifierNames.includes(name));
  if (unknown !== undefined) refuse(`the modifier ${JSON.stringify(unknown)} does not exist`);
  if (names.includes('re') && names[0] !== 're')
    refuse('re must be the first modifier, because it changes how the value is read');
  let first = true;
  for (const name of names) {
    const change = changes[name];
    if (change !== undefined && Object.hasOwn(changes, name)) {
      const place = { first, refuse: (message: string) => refuse(message) };
      current = current.map((forms) => forms.flatMap((value) => change(value, place)));
    }
    first = false;
  }
  if (current.flat().some((value) => value.kind === 'text' && value.isText === false)) refuse(onlyBase64);
  const all = names.includes('all');
  return { values: current, linking: all ? 'all' : 'any', negated: names.includes('neq') };
}

const onlyBase64 = 'characters beyond ASCII in UTF-16 are no text; base64 or base64offset must follow';

function plainText(text: string): Value {
  return { kind: 'text', text: joinParts([text]), cased: false };
}

function textOf(value: Value, { refuse }: Place): TextValue {
  if (value.kind === 'text') return value.isText === false ? refuse(onlyBase64) : value;
  return refuse('this modifier takes texts only; a number or true needs quotes to be one');
}

function literal(value: Value, place: Place): string {
  const text = literalOf(textOf(value, place).text);
  return text ?? place.refuse('a wildcard is not possible with this modifier');
}

function unmodified(value: Value, place: Place): string {
  return place.first ? literal(value, place) : place.refuse('no other modifier may stand before this one');
}

function placed(value: Value, at: 'prefix' | 'suffix' | 'contains', place: Place): Value {
  if (value.kind === 'field') {
    const both = value.at !== 'equal' && value.at !== at;
    return { ...value, at: both ? 'contains' : at };
  }
  if (value.kind === 'regex') return { ...value, source: anchored(value.source, at) };
  const { text, cased } = textOf(value, place);
  const before: SigmaText = at === 'prefix' ? [] : [ANY];
  const after: SigmaText = at === 'suffix' ? [] : [ANY];
  return { kind: 'text', text: joinParts([...before, ...text, ...after]), cased };
}

/** A regular expression is searched for, so that only the ends need anchors. */
function anchored(source: string, at: 'prefix' | 'suffix' | 'contains'): string {
  if (at === 'contains') return source;
  return at === 'prefix' ? `^(?:${source})` : `(?:${source})$`;
}

function withDashes({ text, cased }: TextValue, { refuse }: Place): readonly Value[] {
  const dashes = text.reduce(
    (sum, part) => sum + (typeof part === 'string' ? optionDashes(part).length : 0),
    0,
  );
  if (dashes > maxVariedDashes) refuse(`windash varies at most ${maxVariedDashes} dashes in one value`);
  let forms: readonly SigmaText[] = [[]];
  for (const part of text) {
    const variants: readonly TextPart[] = typeof part === 'string' ? varyDashes(part) : [part];
    forms = forms.flatMap((form) => variants.map((variant) => joinParts([...form, variant])));
  }
  return forms.map((form) => ({ kind: 'text', text: form, cased }));
}

function bytesOf(value: Value, place: Place): Uint8Array {
  if (value.kind === 'text' && value.bytes !== undefined) return value.bytes;
  return Buffer.from(literal(value, place), 'utf8');
}

function inUtf16(value: Value, kind: Utf16, place: Place): Value {
  const { text, cased } = textOf(value, place);
  const whole = literalOf(text);
  const mark = kind === 'utf16' ? '\ufeff' : '';
  const spaced = mapLiterals(text, (part) =>
    [...part].map((character) => (kind === 'utf16be' ? `\0${character}` : `${character}\0`)).join(''),
  );
  // Only ASCII has a form in UTF-16 that is a text again; anything else must go on to Base64.
  const isText = text.every((part) => typeof part !== 'string' || /^[\0-\x7f]*$/.test(part));
  if (!isText && whole === undefined)
    return place.refuse('a wildcard is not possible beside characters beyond ASCII');
  const bytes = whole === undefined ? {} : { bytes: encodeUtf16(whole, kind) };
  return { kind: 'text', cased, text: joinParts([mark, ...spaced]), ...bytes, ...(isText ? {} : { isText }) };
}

function withFlag(value: Value, flag: string, { refuse }: Place): Value {
  if (value.kind !== 'regex')
    return refuse(`${flag} is a modifier of regular expressions and stands after re`);
  return value.flags.includes(flag) ? value : { ...value, flags: value.flags + flag };
}

function compared(value: Value, operator: 'gt' | 'gte' | 'lt' | 'lte', { refuse }: Place): Value {
  if (value.kind === 'scalar' && typeof value.value === 'number')
    return { kind: 'compare', operator, bound: value.value };
  return refuse(`${operator} takes a number`);
}

function datePart(value: Value, part: DatePart, { refuse }: Place): Value {
  if (value.kind === 'scalar' && Number.isInteger(value.value))
    return { kind: 'date', part, number: value.value as number };
  return refuse(`${part} takes a whole number`);
}

function expanded(value: Value, refuse: (message: string) => never): Value {
  const source = value.kind === 'text' ? literalOf(value.text) : undefined;
  if (
    value.kind === 'regex' ? !/%[^%\s]+%/.test(value.source) : source !== undefined && !source.includes('%')
  )
    return value;
  const [, placeholder] = /^%([^%\s]+)%$/.exec(source ?? '') ?? [];
  if (placeholder === undefined)
    return refuse('a placeholder is only possible as the whole value, because it becomes a named list');
  return { kind: 'list', placeholder };
}
