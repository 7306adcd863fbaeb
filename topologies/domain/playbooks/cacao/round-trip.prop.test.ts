// Export and import on generated playbooks: nothing is lost, identifiers stay, and a second export is the same document.
import type { Playbook } from '@tocsin/schemas/types.ts';
import { expect, test } from 'vitest';
import { checkPlaybook } from '../parse-playbook.ts';
import { generatePlaybook } from '../simulation/generate.ts';
import { createRandom, type Random } from '../simulation/random.ts';
import { exportCacao } from './export-cacao.ts';
import { importCacao } from './import-cacao.ts';

test('x', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = createRandom(seed);
    const playbook = generatePlaybook(random, `p${seed}`, 'child');
    expect(checkPlaybook(playbook)).toEqual([]);
    let n = 0;
    const uuid = () => `00000000-0000-4000-8000-${String(n++).padStart(12, '0')}`;
    const first = exportCacao(playbook, { uuid, now: 1_000_000 });
    const back = importCacao(JSON.parse(JSON.stringify(first.document)));
    expect(back.issues).toEqual([]);
    const { meta, enabled, ...plain } = back.playbook as Playbook;
    expect(plain).toEqual(playbook);
    expect(back.warnings).toEqual([]);
    expect(meta?.cacao).toEqual(first.meta);
    const again = exportCacao(back.playbook as Playbook, { uuid, now: 2_000_000 });
    expect(again.document).toEqual(first.document);
  }
});
