// Replaces the bundled list of ATT&CK techniques: node infra/local/attack-list.ts enterprise-attack-18.1.json 2025
//
// The file is a STIX bundle of mitre-attack/attack-stix-data, the number the year of its copyright notice. Then: npm run format.
import { readFileSync, writeFileSync } from 'node:fs';
import { compactStix } from '@tocsin/topologies/domain/mitre/compact-stix.ts';

const [file, year] = process.argv.slice(2);
if (file === undefined || !/^\d{4}$/.test(year ?? '')) {
  process.stderr.write('usage: node infra/local/attack-list.ts <enterprise-attack.json> <year>\n');
  process.exit(2);
}
const { techniques, ...head } = compactStix(JSON.parse(readFileSync(file, 'utf8')), Number(year));
const lines = Object.entries(techniques).map(
  ([id, entry]) => `${JSON.stringify(id)}: ${JSON.stringify(entry)}`,
);
// One line for each technique: a new version is a diff that can be read.
const text = `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "techniques": {\n    ${lines.join(',\n    ')}\n  }\n}\n`;
writeFileSync(new URL('../../topologies/domain/mitre/attack-techniques.json', import.meta.url), text);
process.stdout.write(`ATT&CK ${head.version}: ${lines.length} techniques\n`);
