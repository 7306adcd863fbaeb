// Conditions of Sigma against truth tables: a generated condition, written as text with more or fewer brackets than needed,
// holds for exactly the events that its own tree holds for.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds, ruleOf } from '../ask.ts';
import { importSigma } from './import-sigma.ts';

type Tree =
  | { readonly name: string }
  | { readonly not: Tree }
  | { readonly word: 'and' | 'or'; readonly of: readonly Tree[] };

const names = ['sel_a', 'sel_b', 'filter_c', 'android'];

const tree = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(...names).map((name) => ({ name })),
    tie('tree').map((of) => ({ not: of })),
    fc
      .tuple(
        fc.constantFrom('and' as const, 'or' as const),
        fc.array(tie('tree'), { minLength: 2, maxLength: 3 }),
      )
      .map(([word, of]) => ({ word, of })),
  ),
})).tree;

const strength = { or: 0, and: 1, not: 2 };

/** Brackets where the tree needs them, and around everything when `all`. */
function write(node: Tree, above: number, all: boolean): string {
  if ('name' in node) return all ? `(${node.name})` : node.name;
  const own = 'not' in node ? strength.not : strength[node.word];
  const text =
    'not' in node
      ? `not ${write(node.not, own, all)}`
      : node.of.map((part) => write(part, own + 1, all)).join(` ${node.word} `);
  return all || own < above ? `(${text})` : text;
}

function isTrue(node: Tree, present: ReadonlySet<string>): boolean {
  if ('name' in node) return present.has(node.name);
  if ('not' in node) return !isTrue(node.not, present);
  const answers = node.of.map((part) => isTrue(part, present));
  return node.word === 'and' ? !answers.includes(false) : answers.includes(true);
}

test('a condition means what its tree means', () => {
  fc.assert(
    fc.property(tree, fc.boolean(), (node, all) => {
      const condition = write(node, 0, all);
      const detection = { ...Object.fromEntries(names.map((name) => [name, { [name]: 'x' }])), condition };
      const rule = ruleOf(
        importSigma({ title: 't', logsource: { product: 'p' }, detection }, { actions: ['a'] }),
      );
      for (let bits = 0; bits < 2 ** names.length; bits++) {
        const present = new Set(names.filter((_name, index) => (bits >> index) & 1));
        const data = Object.fromEntries([...present].map((name) => [name, 'X']));
        expect([condition, data, holds(rule, { event: 'e', data })]).toEqual([
          condition,
          data,
          isTrue(node, present),
        ]);
      }
    }),
    { numRuns: 300 },
  );
});
