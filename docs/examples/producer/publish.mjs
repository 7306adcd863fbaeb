// Publishes findings and a search result to Kafka as any producer would: kafkajs, plain JSON, no Tocsin code.
//
//   KAFKA_BROKERS=127.0.0.1:9092 node docs/examples/producer/publish.mjs
//
// Sends the finding.new event of the SIEM guide, a scan of SCAN_SIZE (default 500) mixed findings, one record that is
// broken on purpose, and a search-job result with three rows. Prints one line of JSON: what it sent.
import { Kafka, logLevel, Partitioners } from 'kafkajs';

const brokers = (process.env.KAFKA_BROKERS ?? '127.0.0.1:9092').split(',');
const scanSize = Number(process.env.SCAN_SIZE ?? 500);
const kafka = new Kafka({ clientId: 'example-producer', brokers, logLevel: logLevel.NOTHING });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });

const guideEvent = {
  event: 'finding.new',
  timestamp: '2026-04-28T12:00:00Z',
  data: {
    finding_id: 'f-91827',
    title: 'SQL Injection in /api/login',
    severity: 'critical',
    cvss: 9.8,
    asset: { id: 'a-1001', name: 'api.example.com', type: 'domain' },
    scan_id: 'sc-44021',
    description: 'User input is passed directly to SQL query without parameterization.',
    remediation: 'Use parameterized queries or an ORM.',
  },
};

// Ten findings in turn: one critical, two high, three medium, the rest low and info; every third asset is production.
const severities = ['critical', 'high', 'medium', 'low', 'info', 'high', 'medium', 'low', 'medium', 'info'];
const titles = ['SQL Injection', 'Outdated TLS', 'Open redirect', 'Verbose banner', 'Missing header'];
const cvss = { critical: 9.8, high: 8.1, medium: 5.4, low: 3.1, info: 0 };

function scanFinding(index) {
  const severity = severities[index % severities.length];
  return {
    id: `evt-scan-${index}`,
    event: 'finding.new',
    timestamp: new Date().toISOString(),
    data: {
      finding_id: `f-${100_000 + index}`,
      // The same weakness in the same place, however often it is found.
      fingerprint: `a-${2_000 + (index % 40)}/${titles[index % titles.length]}`,
      title: `${titles[index % titles.length]} on host-${index % 40}.example.com`,
      severity,
      cvss: cvss[severity],
      cve: index % 25 === 0 ? ['CVE-2024-3094'] : [],
      asset: {
        id: `a-${2_000 + (index % 40)}`,
        name: `host-${index % 40}.example.com`,
        type: 'domain',
        tags: index % 3 === 0 ? ['production'] : ['staging'],
      },
      scan_id: 'sc-50000',
      scan_type: 'web',
    },
  };
}

const searchResult = {
  job_id: 'job-failed-logins',
  run_id: 'run-2026-04-28T12:05',
  name: 'Failed logins per host',
  started_at: '2026-04-28T12:05:00Z',
  time_from: '2026-04-28T11:05:00Z',
  time_to: '2026-04-28T12:05:00Z',
  rows: [
    { host: 'dc-01', 'source.ip': '10.1.2.3', user: 'svc-backup', failed_logins: 412 },
    { host: 'dc-02', 'source.ip': '10.1.2.4', user: 'administrator', failed_logins: 97 },
    { host: 'web-07', 'source.ip': '198.51.100.7', user: 'deploy', failed_logins: 55 },
  ],
};

const asMessage = (event) => ({ key: event.data.asset.id, value: JSON.stringify(event) });

await producer.connect();
await producer.send({ topic: 'findings.v1', acks: -1, messages: [asMessage(guideEvent)] });
await producer.send({
  topic: 'findings.v1',
  acks: -1,
  messages: Array.from({ length: scanSize }, (_, index) => asMessage(scanFinding(index))),
});
await producer.send({
  topic: 'findings.v1',
  acks: -1,
  messages: [{ key: 'a-1001', value: '{"event":"finding.new","data":{"severity":"crit' }],
});
await producer.send({
  topic: 'search-results.v1',
  acks: -1,
  messages: [{ key: searchResult.job_id, value: JSON.stringify(searchResult) }],
});
await producer.disconnect();
process.stdout.write(
  `${JSON.stringify({ guide_event: 1, scan_findings: scanSize, broken: 1, search_results: 1 })}\n`,
);
