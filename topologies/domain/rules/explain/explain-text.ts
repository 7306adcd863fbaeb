// An explanation as lines for a terminal.
import type { Explanation } from './explain.ts';

/** One line per node, indented, with `+` for what holds and `-` for what does not. */
export function explanationLines(explanation: Explanation, depth = 0): string[] {
  const { holds, what, wanted, found, note, path, parts } = explanation;
  const line = [
    `${'  '.repeat(depth)}${holds ? '+' : '-'} ${what}`,
    wanted === undefined ? '' : `: ${wanted}`,
    found === undefined ? '' : `   found ${foundText(found)}`,
    note === undefined ? '' : `   (${note})`,
    `   ${path}`,
  ].join('');
  return [printable(line), ...parts.flatMap((part) => explanationLines(part, depth + 1))];
}

function foundText({ count, elements }: NonNullable<Explanation['found']>): string {
  if (count === null) return 'nothing';
  if (elements.length === 0) return count === 0 ? 'an empty list' : `${count} elements`;
  const more = count > elements.length ? ` and ${count - elements.length} more` : '';
  return `${elements.join(', ')}${more}`;
}

/** Values of an event must not move the cursor of whoever looks at them. */
export function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are meant.
  return line.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

/**
 * The conditions that decide why a rule does not match, or why it matches: the deepest ones, at most `limit`, each on
 * one line.
 */
export function decisiveReasons(explanation: Explanation, limit = 3): string[] {
  const reasons: string[] = [];
  const visit = (node: Explanation): void => {
    if (reasons.length >= limit) return;
    const deciding = decidingParts(node);
    if (deciding.length > 0) {
      for (const part of deciding) visit(part);
      return;
    }
    const { wanted, found, note, path, holds } = node;
    const said = note?.startsWith('absent') === true ? note : found && `found ${foundText(found)}`;
    const about = [wanted, said].filter((text) => text !== undefined).join(', ');
    reasons.push(
      printable(`${path} ${holds ? 'holds' : 'does not hold'}${about === '' ? '' : `: ${about}`}`),
    );
  };
  visit(explanation);
  return reasons;
}

/** The parts that a verdict comes from: of a block its parts, of a field none, because it shows what was found. */
function decidingParts(node: Explanation): readonly Explanation[] {
  if (node.kind === 'field') return [];
  if (node.kind === 'not') return node.parts.filter(({ holds }) => holds !== node.holds);
  const same = node.parts.filter(({ holds }) => holds === node.holds);
  return same.length > 0 ? same : node.parts;
}
