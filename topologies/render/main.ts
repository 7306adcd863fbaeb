// Writes the generated pages; with --check it says which are stale and fails.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderAll, withActionTable } from './pages.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const check = process.argv.includes('--check');
let stale = 0;
const pages = renderAll();
pages.set('README.md', withActionTable(readFileSync(join(root, 'README.md'), 'utf8')));
for (const [path, content] of pages) {
  const target = join(root, path);
  let held = '';
  try {
    held = readFileSync(target, 'utf8');
  } catch {
    // A page that is not there yet is stale.
  }
  if (held === content) continue;
  stale += 1;
  if (check) console.error(`${path} is stale: run ./tocsin topology`);
  else {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    console.log(`wrote ${path}`);
  }
}
if (check && stale > 0) process.exit(1);
