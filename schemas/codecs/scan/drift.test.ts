// The committed module is what the compiler makes of the committed source.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { compileScan } from './build.ts';

test('scan.wasm.ts is up to date: npm run generate', async () => {
  const committed = readFileSync(fileURLToPath(new URL('./scan.wasm.ts', import.meta.url)), 'utf8');
  expect(await compileScan()).toBe(committed);
});
