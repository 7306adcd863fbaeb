// Prometheus text as the format's documentation shows it.
import { expect, test } from 'vitest';
import { parseMetrics } from './scrape.ts';

test('names, labels with escapes, values and timestamps', () => {
  const text = `# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
`;
  expect(parseMetrics(text)).toEqual([
    { name: 'http_requests_total', labels: { method: 'post', code: '200' }, value: 1027 },
    {
      name: 'msdos_file_access_time_seconds',
      labels: { path: 'C:\\DIR\\FILE.TXT', error: 'Cannot find file:\n"FILE.TXT"' },
      value: 1.458255915e9,
    },
    { name: 'metric_without_timestamp_and_labels', labels: {}, value: 12.47 },
    { name: 'something_weird', labels: { problem: 'division by zero' }, value: Number.NaN },
  ]);
});
