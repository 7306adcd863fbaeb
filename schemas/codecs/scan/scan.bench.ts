// What a scan costs beside JSON.parse and the scan in JavaScript: `node schemas/codecs/scan/scan.bench.ts [name]` prints one
// line of JSON per set of documents.
//
// Surprise: CPU time of this process, in small blocks that take turns, lower quartile: the machine may be busy with others.
import { checkObject, createMarks } from '@tocsin/topologies/domain/sink/splice-check.ts';
import { scanJson } from '../json-scan.ts';
import { createCheck } from './check.ts';
import { createScanner } from './scanner.ts';

const wanted = [
  'id',
  'event',
  'data.severity',
  'data.cvss',
  'data.asset.name',
  'data.asset.tags',
  'data.asset.groups',
  'data.scan_type',
  'data.category',
  'data.vulnerability_ids',
].map((path) => path.split('.'));

const event = (k: number, description: string): object => ({
  id: `evt-${k}`,
  event: 'finding.new',
  timestamp: '2026-04-28T12:00:00Z',
  data: {
    finding_id: `f-${k}`,
    title: 'SQL Injection in /api/login',
    severity: 'critical',
    cvss: 9.8,
    asset: {
      id: 'a-1001',
      name: 'api.example.com',
      type: 'domain',
      tags: ['production', 'pci'],
      groups: ['dmz'],
    },
    scan_id: 'sc-44021',
    scan_type: 'web',
    category: 'injection',
    vulnerability_ids: ['CVE-2026-12345', 'CWE-89'],
    description,
    remediation: 'Use parameterized queries or an ORM, and check all input on the server.',
    port: 443,
  },
});

const plain =
  'User input is passed directly to SQL query without parameterization, in the field of the user name of the login screen.';
const documents: Record<string, (k: number) => string> = {
  finding: (k) => JSON.stringify(event(k, plain)),
  umlauts: (k) =>
    JSON.stringify(event(k, 'Die Eingabe wird ungeprüft übergeben, im Feld „Benutzer“; Überprüfung nötig.')),
  escapes: (k) => JSON.stringify(event(k, 'Eine "Zeile"\nund noch\teine, C:\\Users\\app\\x')),
  indented: (k) => JSON.stringify(event(k, plain), null, 2),
};

const blocks = 40;
const perBlock = 2_000;
const limits = { maxDepth: 64, maxKeys: 2_000, maxKeyBytes: 1_024, maxNumberBytes: 100 };

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

for (const [name, text] of Object.entries(documents)) {
  if (process.argv[2] !== undefined && process.argv[2] !== name) continue;
  // One buffer, as the records of a batch have it.
  const parts = Array.from({ length: 256 }, (_, k) => Buffer.from(text(k + 1000)));
  const batch = Buffer.concat(parts);
  const starts = new Int32Array(parts.length + 1);
  parts.forEach((part, k) => {
    starts[k + 1] = starts[k]! + part.length;
  });
  const scanner = createScanner(wanted, 1);
  const check = createCheck();
  const marks = createMarks();
  let seen = 0;
  const runs: Record<string, (start: number, end: number) => void> = {
    parse: (start, end) => {
      seen += JSON.parse(batch.toString(name === 'umlauts' ? 'utf8' : 'latin1', start, end)) === null ? 1 : 0;
    },
    scanJson: (start, end) => {
      seen += scanJson(batch, start, end, limits).reason === null ? 1 : 0;
    },
    scan: (start, end) => {
      if (scanner.scan(batch, start, end) !== 0)
        throw new Error(`refused: ${batch.toString('utf8', start, end)}`);
      seen += scanner.elements.count;
    },
    checkObject: (start, end) => {
      seen += checkObject(batch, start, end, marks) === 0 ? 1 : 0;
    },
    check: (start, end) => {
      if (!check(batch, start, end, marks)) throw new Error('refused');
      seen += marks.assetEnd;
    },
  };
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(runs).map((run) => [run, []]));
  for (let block = 0; block < blocks; block++)
    for (const [run, once] of Object.entries(runs)) {
      const start = cpu();
      for (let k = 0; k < perBlock; k++) once(starts[k & 255]!, starts[(k & 255) + 1]!);
      times[run]!.push((cpu() - start) / perBlock);
    }
  const bytes = batch.length / parts.length;
  const result: Record<string, unknown> = { name, bytes: Math.round(bytes) };
  for (const [run, list] of Object.entries(times)) {
    const micros = list.sort((a, b) => a - b)[list.length >> 2]!;
    result[run] = { ns: Math.round(micros * 1000), mbPerSecond: Math.round(bytes / micros) };
  }
  if (seen === 0) throw new Error('nothing was scanned');
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
