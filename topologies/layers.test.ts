// The layers are read from the import lines: schemas <- topologies <- infra <- services, and each library in one place.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const code = ['schemas', 'topologies', 'infra', 'services', 'bench', 'tests'];

interface Import {
  readonly file: string;
  readonly target: string;
}

function importsOf(folder: string): Import[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'),
    )
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      return targetsOf(readFileSync(path, 'utf8')).map((target) => ({ file: relative(root, path), target }));
    });
}

function targetsOf(source: string): string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s*['"]([^'"]+)['"]/g;
  return [...source.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

const imports = code.flatMap(importsOf);
const packages = new Map<string, { name: string; dependencies: Record<string, string> }>();
for (const folder of [
  'schemas',
  'topologies',
  'infra/adapters',
  'infra/local',
  'infra/testing',
  'bench',
  'tests',
  ...readdirSync(join(root, 'services')).map((name) => `services/${name}`),
]) {
  const text = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  packages.set(folder, { name: text.name, dependencies: { ...text.dependencies, ...text.devDependencies } });
}

const layerOf = (file: string): string => file.split('/')[0] ?? '';
const packageOf = (file: string): string =>
  [...packages.keys()].find((folder) => file.startsWith(`${folder}/`)) ?? '';
const isTest = (file: string): boolean =>
  /\.(test|prop\.test|it\.test|bench)\.ts$/.test(file) ||
  file.startsWith('tests/') ||
  /\/contract\.ts$/.test(file) ||
  file.includes('/conformance/');

/** Arrows that are allowed between our own packages. */
function allowed(from: string, to: string): boolean {
  const [source, target] = [layerOf(from), layerOf(to)];
  if (isTest(from) || source === 'tests' || source === 'bench') return true;
  if (source === 'schemas') return target === 'schemas';
  if (source === 'topologies') return target === 'schemas' || target === 'topologies';
  if (source === 'infra') return target !== 'services';
  if (source === 'services') return target !== 'services' || packageOf(from) === packageOf(to);
  return false;
}

function ownTarget(target: string): string | null {
  for (const [folder, { name }] of packages)
    if (target.startsWith(`${name}/`)) return target.replace(name, folder);
  return null;
}

describe('layers', () => {
  test('the reader sees imports of every form', () => {
    expect(
      targetsOf(
        `import a from 'x';\nimport { b,\n c } from "y";\nimport 'z';\nexport { d } from './w.ts';\nawait imp${'ort'}('v')`,
      ),
    ).toEqual(['x', 'y', 'z', './w.ts', 'v']);
    expect(imports.length).toBeGreaterThan(100);
  });

  test('arrows go schemas <- topologies <- infra <- services only', () => {
    expect(allowed('topologies/a.ts', 'infra/adapters/b.ts')).toBe(false);
    expect(allowed('services/sinks/a.ts', 'services/actions/b.ts')).toBe(false);
    const forbidden = imports.filter(({ file, target }) => {
      const own = ownTarget(target);
      return own !== null && !allowed(file, own);
    });
    expect(forbidden).toEqual([]);
  });

  test('relative imports stay inside their package', () => {
    const escaping = imports.filter(
      ({ file, target }) => target.startsWith('.') && packageOf(join(file, '..', target)) !== packageOf(file),
    );
    expect(escaping).toEqual([]);
  });

  test('each library is imported in one package, which declares it', () => {
    const users = new Map<string, Set<string>>();
    const undeclared: Import[] = [];
    for (const { file, target } of imports) {
      if (target.startsWith('.') || target.startsWith('node:') || ownTarget(target) !== null) continue;
      const library = target.startsWith('@')
        ? target.split('/').slice(0, 2).join('/')
        : (target.split('/')[0] ?? '');
      if (['vitest', 'fast-check'].includes(library)) continue;
      const owner = packageOf(file);
      if (owner !== '' && packages.get(owner)?.dependencies[library] === undefined)
        undeclared.push({ file, target });
      users.set(library, (users.get(library) ?? new Set()).add(owner));
    }
    expect(undeclared).toEqual([]);
    expect(
      [...users].filter(([, owners]) => owners.size > 1).map(([library, owners]) => [library, [...owners]]),
    ).toEqual([]);
  });

  test('topologies and schemas have no clock, randomness, environment or I/O of their own', () => {
    const pattern = /\bDate\.now\(|\bMath\.random\(|\bprocess\.(env|exit|on)|\bsetTimeout\(|\bsetInterval\(/;
    const io = /^node:(fs|http|https|tls|dgram|child_process|timers)/;
    const exempt = new Set([
      'schemas/codecs/validate.ts',
      'schemas/generate.ts',
      'schemas/freeze.ts',
      'schemas/codecs/scan/build.ts',
      'topologies/render/main.ts',
    ]);
    // Of node:net only the functions that look at the text of an address.
    const sockets = /import \{(?! *(?:type )?(?:isIP|isIPv4|isIPv6|BlockList)[ ,}])[^}]*\} from 'node:net'/;
    const pure = (file: string): boolean =>
      (file.startsWith('topologies/') || file.startsWith('schemas/')) && !isTest(file) && !exempt.has(file);
    const dirty = new Set(
      imports.filter(({ file, target }) => pure(file) && io.test(target)).map(({ file }) => file),
    );
    for (const file of new Set(imports.map((entry) => entry.file).filter(pure))) {
      const source = readFileSync(join(root, file), 'utf8');
      if (pattern.test(source) || sockets.test(source)) dirty.add(file);
    }
    expect([...dirty]).toEqual([]);
  });

  test('no file is longer than 400 lines, no test file longer than 800', () => {
    const long = code
      .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
      .filter(
        (entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'),
      )
      .map((entry) => join(entry.parentPath, entry.name))
      .filter(
        (path) =>
          !path.endsWith('schemas/types.ts') &&
          readFileSync(path, 'utf8').split('\n').length > (isTest(relative(root, path)) ? 800 : 400),
      )
      .map((path) => relative(root, path));
    expect(long).toEqual([]);
  });
});
