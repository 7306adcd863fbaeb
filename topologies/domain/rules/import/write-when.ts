// Writes a clause as `when` of a rule, in the form that a person would choose: one object as long as the names allow it.
//
// Invariant: what is merged under one path holds for the same scalar field as the separate conditions did. For a list
// in the data, operators under one path look at the same element (see docs/imports.md).
import { allOf, type Clause, type FieldTest } from './clause.ts';

type Block = Record<string, unknown>;

/** An object of conditions, all of which must hold. */
export function writeBlock(clause: Clause): Block {
  const block: Block = {};
  const left: Block[] = [];
  const refused: Clause[] = [];
  for (const part of clause.kind === 'all' ? clause.of : [clause]) {
    if (part.kind === 'not') refused.push(part.of);
    else if (part.kind === 'field') {
      const merged = Object.hasOwn(block, part.path)
        ? mergeTests(part.path, block[part.path], part.test)
        : part.test;
      if (merged === undefined) left.push({ [part.path]: part.test });
      else block[part.path] = merged;
    } else {
      const [name, content] = writeEntry(part);
      if (Object.hasOwn(block, name)) left.push({ [name]: content });
      else block[name] = content;
    }
  }
  if (refused.length > 0) block['not'] = writeNone(refused);
  return addBlocks(block, left);
}

function writeEntry(clause: Exclude<Clause, { kind: 'field' | 'not' }>): [string, unknown] {
  if (clause.kind === 'each') return ['each', { path: clause.path, match: writeBlock(clause.of) }];
  return [clause.kind, clause.of.map(writeBlock)];
}

/** None of the clauses: not one of them, or not any of several. */
function writeNone(clauses: readonly Clause[]): Block {
  const [first] = clauses;
  if (clauses.length === 1 && first !== undefined) return writeBlock(first);
  const of = clauses.flatMap((clause) => (clause.kind === 'any' ? clause.of : [clause]));
  return { any: of.map(writeBlock) };
}

function addBlocks(block: Block, left: readonly Block[]): Block {
  if (left.length === 0) return block;
  const own = Object.keys(block).filter((key) => key === 'all');
  return own.length === 0 ? { ...block, all: left } : { all: [block, ...left] };
}

/** Names that cannot stand beside each other in one object of operators. */
const rivals: Readonly<Record<string, string>> = { gt: 'gte', gte: 'gt', lt: 'lte', lte: 'lt' };

/** Both tests as one object of operators; undefined when they use the same operator or are about many texts. */
function mergeTests(path: string, one: FieldTest, other: FieldTest): FieldTest | undefined {
  if (path.endsWith('*')) return undefined;
  const a = operatorsOf(one);
  const b = operatorsOf(other);
  const both = Object.keys(a).some(
    (name) => Object.hasOwn(b, name) || Object.hasOwn(b, rivals[name] ?? name),
  );
  if (!both) return { ...a, ...b };
  const texts = containsOnly(a) && containsOnly(b) ? [...containsOnly(a)!, ...containsOnly(b)!] : undefined;
  return texts && { contains_all: texts };
}

/** The texts that must all be there, when the test says nothing else. */
function containsOnly(test: Block): readonly unknown[] | undefined {
  const { contains, contains_all: all } = test;
  if (Object.keys(test).length !== 1) return undefined;
  if (typeof contains === 'string') return [contains];
  if (Array.isArray(contains) && contains.length === 1) return contains;
  return Array.isArray(all) ? all : undefined;
}

function operatorsOf(test: FieldTest): Block {
  const isObject = typeof test === 'object' && test !== null && !Array.isArray(test);
  return isObject ? (test as Block) : { in: test };
}

/** Several blocks of which all must hold, as one. */
export function writeAll(clauses: readonly Clause[]): Block {
  return writeBlock(allOf(clauses));
}
