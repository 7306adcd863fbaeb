// A corpus of Sigma rules, made up, in about the proportions that were counted in SigmaHQ's 3,757 rules: 3.5 predicates and
// 12 values per rule; `contains` in 64 % of the rules, `endswith` and equality in 55 % each, `|all` and `not` in a fifth,
// `startswith` in 9 %, `re` in 3 %; literals of 13 characters at the median and 64 at p95, a tenth of them below 4.
// sigma-mix.test.ts says how near this comes.
//
// Surprise: the corpus itself is not here, because its licence asks for attribution of every author in results.
import { type SeededRandom, seededRandom } from './random.ts';
import { folders, programs, sigmaWorld, type World } from './sigma-world.ts';

type Item = Record<string, unknown>;

interface FieldKind {
  readonly name: string;
  readonly share: number;
  readonly kind: 'program' | 'text' | 'path' | 'word' | 'number' | 'address';
}

/** Fields by how many predicates ask for them. */
const fields: readonly (readonly [FieldKind, number])[] = (
  [
    { name: 'CommandLine', share: 24, kind: 'text' },
    { name: 'Image', share: 17, kind: 'program' },
    { name: 'ParentImage', share: 6, kind: 'program' },
    { name: 'OriginalFileName', share: 12, kind: 'word' },
    { name: 'ParentCommandLine', share: 3, kind: 'text' },
    { name: 'TargetFilename', share: 5, kind: 'path' },
    { name: 'TargetObject', share: 4, kind: 'path' },
    { name: 'ScriptBlockText', share: 4, kind: 'text' },
    { name: 'ImageLoaded', share: 3, kind: 'path' },
    { name: 'Details', share: 1, kind: 'text' },
    { name: 'EventID', share: 12, kind: 'number' },
    { name: 'Hashes', share: 1, kind: 'word' },
    { name: 'DestinationIp', share: 1, kind: 'address' },
    { name: 'User', share: 1, kind: 'word' },
  ] as const
).map((field) => [field, field.share] as const);

const modifiers = {
  program: [
    ['endswith', 84],
    ['contains', 8],
    ['', 5],
    ['startswith', 3],
  ],
  text: [
    ['contains', 84],
    ['endswith', 5],
    ['', 4],
    ['startswith', 4],
    ['re', 3],
  ],
  path: [
    ['contains', 52],
    ['endswith', 34],
    ['startswith', 12],
    ['', 2],
  ],
  word: [
    ['', 88],
    ['contains', 9],
    ['startswith', 3],
  ],
  number: [['', 100]],
  address: [
    ['cidr', 60],
    ['', 40],
  ],
} as const satisfies Record<FieldKind['kind'], readonly (readonly [string, number])[]>;

/** `count` Sigma rules as YAML documents in JSON form, the same for the same seed. */
export function sigmaRules(count: number, seed = 3): Item[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, number) => sigmaRule(random, sigmaWorld, number));
}

function sigmaRule(random: SeededRandom, world: World, number: number): Item {
  const predicates = Math.max(1, Math.min(12, Math.round(1 + (5 * random.skewed(1_000)) / 667)));
  const chosen = new Map<string, Item>();
  const split = Math.max(1, Math.ceil(predicates / 2));
  for (let index = 0; index < predicates; index += 1) {
    const selection = `selection_${index < split ? 'a' : 'b'}`;
    const item = chosen.get(selection) ?? {};
    Object.assign(item, index === 0 ? selective(random, world) : predicate(random, world));
    chosen.set(selection, item);
  }
  const detection: Item = Object.fromEntries(chosen);
  let condition = 'all of selection_*';
  if (random.chance(0.21)) {
    detection['filter_main'] = predicate(random, world);
    condition += ' and not filter_main';
  }
  return {
    title: `Made-up rule ${number}`,
    id: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
    status: 'test',
    level: 'medium',
    logsource: { category: 'process_creation', product: 'windows' },
    detection: { ...detection, condition },
  };
}

/** What a rule is about: not only the kind of event, or a folder that half of the programs are in. */
function selective(random: SeededRandom, world: World): Item {
  for (;;) {
    const item = predicate(random, world);
    const [key = ''] = Object.keys(item);
    if (key !== 'EventID' && !key.endsWith('|startswith') && !key.endsWith('|all') && item[key] !== null)
      return item;
  }
}

function predicate(random: SeededRandom, world: World): Item {
  const field = random.weighted(fields);
  const modifier = random.weighted<string>(modifiers[field.kind]);
  if (random.chance(0.02) && field.kind === 'word') return { [field.name]: null };
  const all = modifier === 'contains' && random.chance(0.2);
  // A few rules hold hundreds of values.
  const most = all ? 3 : random.chance(0.006) ? 300 : 9;
  const count = all ? random.between(2, most) : 1 + random.skewed(most);
  const values = Array.from({ length: count }, () => value(random, world, field.kind, modifier, all));
  const key = [field.name, modifier, all ? 'all' : ''].filter((part) => part !== '').join('|');
  return { [key]: [...new Set(values)] };
}

function value(
  random: SeededRandom,
  world: World,
  kind: FieldKind['kind'],
  modifier: string,
  all: boolean,
): unknown {
  if (kind === 'number') return random.between(1, 26);
  if (kind === 'address')
    return modifier === 'cidr'
      ? `10.${random.below(256)}.0.0/16`
      : `10.${random.below(256)}.${random.below(256)}.7`;
  if (modifier === 're') return `${random.pick(world.words)}\\s+[a-z0-9]{3,8}${random.pick(world.words)}`;
  if (kind === 'program') {
    const program = random.pick(programs);
    if (modifier === 'startswith') return random.pick(folders);
    return modifier === '' ? `${random.pick(folders)}${program}` : `\\${program}`;
  }
  if (kind === 'word') return random.pick(programs);
  const text = literal(random, world, all);
  if (kind === 'path') {
    if (modifier === 'startswith') return random.pick(folders);
    return modifier === 'endswith'
      ? `\\${random.pick(world.words)}.${random.pick(['dll', 'exe', 'ps1', 'tmp'])}`
      : `\\${text}`;
  }
  return text;
}

// Short ones such as `/c` stand beside others, as in `contains|all`; alone they would match everything.
const lengths = [
  ['tiny', 1],
  ['middle', 87],
  ['long', 12],
] as const;
const lengthsOfAll = [
  ['tiny', 70],
  ['middle', 25],
  ['long', 5],
] as const;

function literal(random: SeededRandom, world: World, all: boolean): string {
  const class_ = random.weighted(all ? lengthsOfAll : lengths);
  if (class_ === 'tiny') return random.pick(world.options).slice(0, random.chance(0.83) ? 2 : 3);
  const length = class_ === 'middle' ? random.between(8, 18) : random.between(32, 90);
  const text = Array.from({ length: 16 }, () => random.pick(world.words)).join(
    random.pick([' ', '\\', ' -']),
  );
  return text.slice(0, length).trim();
}
