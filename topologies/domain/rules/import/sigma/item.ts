// Reads one entry of a Sigma selection: `field|modifiers: value or values`, or keywords.
import { ImportRefusal } from '../imported.ts';
import { applyModifiers } from './modifiers.ts';
import { readText } from './text.ts';
import type { Item, Value } from './value.ts';

/** Values of one rule after all modifiers; a list with offsets and dashes grows on the way. */
export const maxValues = 20_000;

/** `key` is the name with its modifiers, '' for plain keywords. Refuses with `path`. */
export function readItem(key: string, content: unknown, path: string): Item {
  const refuse = (message: string): never => {
    throw new ImportRefusal(path, message);
  };
  const [name = '', ...modifiers] = key.split('|');
  const list = Array.isArray(content) ? content : [content];
  if (list.length === 0) refuse('an empty list has no meaning');
  if (list.length > maxValues) refuse(`a list has at most ${maxValues} values`);
  const isRegex = modifiers.includes('re');
  const values = list.map((value, index) =>
    readValue(value, isRegex, Array.isArray(content) ? `${path}/${index}` : path),
  );
  const applied = applyModifiers(values, modifiers, refuse);
  if (applied.values.reduce((sum, forms) => sum + forms.length, 0) > maxValues)
    refuse(`the modifiers make more than ${maxValues} values of this list`);
  if (name === '') checkKeywords(applied.values.flat(), refuse);
  return { field: name === '' ? null : name, ...applied };
}

function readValue(value: unknown, isRegex: boolean, path: string): Value {
  if (isRegex && (typeof value === 'string' || typeof value === 'number'))
    return { kind: 'regex', source: String(value), flags: '' };
  if (typeof value === 'string') return { kind: 'text', text: readText(value), cased: false };
  if (value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value)))
    return { kind: 'scalar', value };
  throw new ImportRefusal(path, 'must be a text, a number, true, false or null');
}

/** Keywords are looked for in texts: what asks about one field has no meaning for them. */
function checkKeywords(values: readonly Value[], refuse: (message: string) => never): void {
  for (const { kind } of values)
    if (kind !== 'text' && kind !== 'scalar' && kind !== 'regex')
      refuse('this modifier needs the name of a field in front of it');
  if (values.some((value) => value.kind === 'scalar' && value.value === null))
    refuse('null must belong to a field');
}
