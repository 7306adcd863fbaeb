// What parseJson costs beside a bare JSON.parse: `node schemas/codecs/json.bench.ts` prints one line of JSON.
// Small interleaved blocks, lower quartile: other processes on the machine disturb both alike.
import { parseJson } from './json.ts';

const finding = (k: number): string =>
  JSON.stringify({
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
      description:
        'User input is passed directly to SQL query without parameterization, in the field of the user name.',
      remediation: 'Use parameterized queries or an ORM, and check all input on the server.',
      port: 443,
    },
  });

const blocks = 400;
const perBlock = 1_000;

function quartile(times: number[]): number {
  return Math.round(times.sort((a, b) => a - b)[times.length >> 2]!);
}

function compare(values: readonly Buffer[]): Record<string, number> {
  const bare: number[] = [];
  const checked: number[] = [];
  let kept: unknown;
  for (let block = 0; block < blocks; block++) {
    let start = performance.now();
    for (let k = 0; k < perBlock; k++) kept = JSON.parse(values[k & 63]!.toString('utf8'));
    bare.push(((performance.now() - start) / perBlock) * 1e6);
    start = performance.now();
    for (let k = 0; k < perBlock; k++) kept = parseJson(values[k & 63]!);
    checked.push(((performance.now() - start) / perBlock) * 1e6);
  }
  if (kept === undefined) throw new Error('nothing was parsed');
  const [base, whole] = [quartile(bare), quartile(checked)];
  return {
    bytes: values[0]!.length,
    jsonParseNs: base,
    parseJsonNs: whole,
    overheadPercent: Math.round((whole / base - 1) * 100),
  };
}

const ascii = Array.from({ length: 64 }, (_, k) => Buffer.from(finding(k)));
const unicode = Array.from({ length: 64 }, (_, k) =>
  Buffer.from(finding(k).replace('user name', 'Benützer ✓')),
);
process.stdout.write(`${JSON.stringify({ ascii: compare(ascii), unicode: compare(unicode) })}\n`);
