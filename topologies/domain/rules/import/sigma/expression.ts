// The condition line of a Sigma rule as a tree: and, or, not, brackets, `1 of` and `all of`.
//
// Source: Sigma rules specification, "Condition". Binding, loosest first: or, and, not, `x of`, brackets.
import { ImportRefusal } from '../imported.ts';

export type Expression =
  | { readonly kind: 'selection'; readonly name: string }
  | { readonly kind: 'of'; readonly quantifier: 'any' | 'all'; readonly pattern: string }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Expression[] }
  | { readonly kind: 'not'; readonly of: Expression };

const maxDepth = 32;
const maxTokens = 2_000;

interface Reader {
  readonly tokens: readonly string[];
  at: number;
  readonly refuse: (message: string) => never;
}

/** Refuses with `path` when the text is no condition. */
export function readExpression(source: string, path: string): Expression {
  const refuse = (message: string): never => {
    throw new ImportRefusal(path, message);
  };
  if (source.includes('|'))
    refuse(
      'an aggregation such as | count() counts events over time; rules look at one event (Sigma has replaced aggregations by correlation rules)',
    );
  const tokens = source.match(/[()]|[^\s()]+/g) ?? [];
  if (tokens.length > maxTokens) refuse(`a condition has at most ${maxTokens} words`);
  const reader: Reader = { tokens, at: 0, refuse };
  const expression = readOr(reader, 0);
  if (reader.at < tokens.length) refuse(`does not go on with ${JSON.stringify(tokens[reader.at])}`);
  return expression;
}

function readOr(reader: Reader, depth: number): Expression {
  if (depth > maxDepth) reader.refuse(`brackets and not nest to ${maxDepth} levels`);
  return readJoined(reader, 'or', () => readJoined(reader, 'and', () => readNot(reader, depth)));
}

function readJoined(reader: Reader, word: 'and' | 'or', read: () => Expression): Expression {
  const of = [read()];
  while (isWord(reader, word)) {
    reader.at += 1;
    of.push(read());
  }
  const [first] = of;
  return of.length === 1 && first !== undefined ? first : { kind: word === 'and' ? 'all' : 'any', of };
}

function readNot(reader: Reader, depth: number): Expression {
  if (depth > maxDepth) reader.refuse(`brackets and not nest to ${maxDepth} levels`);
  if (!isWord(reader, 'not')) return readOperand(reader, depth);
  reader.at += 1;
  return { kind: 'not', of: readNot(reader, depth + 1) };
}

function readOperand(reader: Reader, depth: number): Expression {
  const token = reader.tokens[reader.at];
  if (token === undefined) return reader.refuse('ends too early: the name of a selection is missing');
  reader.at += 1;
  if (token === '(') {
    const inner = readOr(reader, depth + 1);
    if (reader.tokens[reader.at] !== ')') return reader.refuse('a bracket is not closed');
    reader.at += 1;
    return inner;
  }
  if (isWord(reader, 'of')) return readOf(reader, token);
  if (['and', 'or', 'not', 'of', 'near', ')'].includes(token.toLowerCase()) || !/^[\w-]+$/.test(token))
    return reader.refuse(`${JSON.stringify(token)} stands where a selection is expected`);
  return { kind: 'selection', name: token };
}

function readOf(reader: Reader, word: string): Expression {
  const quantifier = word === '1' || word.toLowerCase() === 'any' ? 'any' : word.toLowerCase();
  if (quantifier !== 'any' && quantifier !== 'all')
    return reader.refuse(`${JSON.stringify(`${word} of`)}: only 1 of, any of and all of exist`);
  const pattern = reader.tokens[reader.at + 1];
  if (pattern === undefined || !/^[\w*-]+$/.test(pattern))
    return reader.refuse(`${word} of: them or a pattern such as selection* must follow`);
  reader.at += 2;
  return { kind: 'of', quantifier, pattern };
}

function isWord(reader: Reader, word: string): boolean {
  return reader.tokens[reader.at]?.toLowerCase() === word;
}
