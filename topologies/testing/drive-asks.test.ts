// What is asked of other systems, in the whole system in memory: scanners, schedulers and inventories read the records and answer.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { AssetUpdate, JobRequest, Playbook, Result, Rule, ScanRequest } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import type { ConfigDocument } from '../domain/config/config-table.ts';
import type { RunState } from '../domain/playbooks/machine/state.ts';
import type { FoldChange } from '../run/fold/fold.ts';
import { type Topic, topics } from '../topics.ts';
import { startDrive } from './drive.ts';

type Drive = Awaited<ReturnType<typeof startDrive>>;

const finding = (id: string, more: object = {}, asset = 'web-01') => ({
  id,
  event: 'finding.new',
  timestamp: '2026-04-28T12:00:00Z',
  data: {
    finding_id: id,
    fingerprint: `${asset}/${id}`,
    title: 'x',
    severity: 'critical',
    asset: { id: asset },
  },
  ...more,
});
const scans = (drive: Drive) => drive.read(topics.scanRequests) as ScanRequest[];
const letters = (drive: Drive) =>
  drive.log
    .records(topics.deadLetters.name)
    .map(({ headers }) => headers.find(([name]) => name === 'x-dlq-error')?.[1].toString());
const keysOf = (drive: Drive, topic: Topic) => drive.log.records(topic.name).map(({ key }) => String(key));

/** Answers each new record of a topic until no more come. */
async function answering<T>(drive: Drive, topic: Topic, answer: (record: T) => Promise<void>): Promise<void> {
  for (let done = 0; ; done += 1) {
    await drive.advance(1_000);
    const record = drive.read(topic)[done] as T | undefined;
    if (record === undefined) return;
    await answer(record);
  }
}

describe('a rule', () => {
  const action: ConfigDocument = {
    kind: 'action',
    id: 'look-again',
    type: 'rescan',
    params: { asset: '{{data.asset.id}}', finding: '{{data.finding_id}}', coalesce: 'PT5M' },
  };
  const rule: Rule = {
    kind: 'rule',
    id: 'critical',
    when: { events: ['finding.new'], min_severity: 'critical' },
    then: [{ action: 'look-again' }],
  };

  test('asks for a scan: one record for each finding, one scan for all of an asset, also over a crash', async () => {
    const drive = await startDrive({ documents: [action, rule] });
    for (const id of ['f-1', 'f-2', 'f-3']) await drive.publish(topics.findings, finding(id), 'web-01');
    await drive.publish(topics.findings, finding('f-4', {}, 'db-01'), 'db-01');
    await drive.advance(1_000);
    await drive.crash('rescan');
    await drive.publish(topics.findings, finding('f-1'), 'web-01');
    await drive.advance(1_000);
    const requests = scans(drive);
    for (const request of requests) expect(checkDocument('scan-request.json', request)).toEqual([]);
    expect(keysOf(drive, topics.scanRequests).sort()).toEqual(['db-01', 'web-01', 'web-01', 'web-01']);
    const web = requests.filter(({ asset }) => asset === 'web-01');
    expect(new Set(web.map(({ request_key }) => request_key)).size).toBe(1);
    expect(web.flatMap(({ findings }) => findings).sort()).toEqual(['f-1', 'f-2', 'f-3']);
    expect(new Set(requests.map(({ request_key }) => request_key)).size).toBe(2);
    const finals = (drive.read(topics.results) as Result[]).filter(({ final }) => final);
    expect(finals.filter(({ status }) => status === 'succeeded')).toHaveLength(4);
    expect(finals.filter(({ code }) => code !== undefined)).toEqual([]);
    expect(letters(drive)).toEqual([]);
    await drive.stop();
  });

  test('whose scan finds what calls for the scan stops after five, and says why', async () => {
    const drive = await startDrive({ documents: [action, rule] });
    await drive.publish(topics.findings, finding('f-0'), 'web-01');
    let found = 0;
    await answering<ScanRequest>(drive, topics.scanRequests, async ({ asset, hops }) => {
      found += 1;
      if (found > 20) throw new Error('the loop goes on');
      await drive.publish(topics.findings, finding(`f-${found}`, { hops }, asset), asset);
    });
    expect(scans(drive).map(({ hops }) => hops)).toEqual([1, 2, 3, 4, 5]);
    expect(letters(drive)).toEqual([
      expect.stringContaining('5 actions lie behind this input, at most 4 may; not run: critical'),
    ]);
    await drive.stop();
  });

  test('with max_hops 1 acts on findings that no action caused; the others fail', async () => {
    const drive = await startDrive({
      documents: [{ ...action, params: { ...action.params, max_hops: 1 } }, rule],
    });
    await drive.publish(topics.findings, finding('f-1'), 'web-01');
    await drive.publish(topics.findings, finding('f-2', { hops: 1 }), 'web-01');
    await drive.advance(1_000);
    expect(scans(drive).map(({ findings }) => findings)).toEqual([['f-1']]);
    const failed = (drive.read(topics.results) as Result[]).filter(({ status }) => status === 'failed');
    expect(failed).toMatchObject([{ code: 'loop_detected', final: true }]);
    await drive.stop();
  });

  test('over HTTP, asks the scanner ten times a minute at most; all are asked for in the end', async () => {
    const drive = await startDrive({
      documents: [
        { kind: 'connection', id: 's4e', type: 'http', host: 'api.s4e.io' },
        { ...action, connection: 's4e', params: { via: 'http', asset: '{{data.asset.id}}' } },
        rule,
      ],
      http: () => ({ status: 201, body: '{"data":{"scan_id":"sc-1"}}' }),
    });
    for (let number = 0; number < 12; number += 1)
      await drive.publish(topics.findings, finding(`f-${number}`, {}, `web-${number}`), `web-${number}`);
    await drive.advance(59_000);
    expect(drive.http.requests).toHaveLength(10);
    await drive.advance(60_000);
    expect(drive.http.requests).toHaveLength(12);
    expect(letters(drive)).toEqual([]);
    await drive.stop();
  });

  test('tags an asset by its severity', async () => {
    const drive = await startDrive({
      documents: [
        { ...rule, then: [{ action: 'mark' }] },
        {
          kind: 'action',
          id: 'mark',
          type: 'tag',
          params: {
            asset: '{{data.asset.id}}',
            add: ['severity:{{data.severity}}'],
            remove: ['severity:critical', 'severity:high'],
          },
        },
      ],
    });
    await drive.publish(topics.findings, finding('f-1'), 'web-01');
    await drive.advance(1_000);
    const updates = drive.read(topics.assetUpdates) as AssetUpdate[];
    expect(updates).toMatchObject([
      { asset: 'web-01', add_tags: ['severity:critical'], remove_tags: ['severity:high'], hops: 1 },
    ]);
    expect(checkDocument('asset-update.json', updates[0])).toEqual([]);
    expect(keysOf(drive, topics.assetUpdates)).toEqual(['web-01']);
    await drive.stop();
  });

  test('job A runs B runs A: it stops after five, and says why (C73)', async () => {
    const run = (id: string, job: string, next: string): ConfigDocument[] => [
      {
        kind: 'action',
        id: `run-${next}`,
        type: 'run-job',
        params: { job: next, global_params: '{{search.global_params}}', parameters: { host: '{{host}}' } },
      },
      {
        kind: 'rule',
        id,
        source: 'search-results',
        when: { 'search.job_id': job },
        run: 'once',
        then: [{ action: `run-${next}` }],
      },
    ];
    const drive = await startDrive({
      documents: [...run('a', 'job-a', 'job-b'), ...run('b', 'job-b', 'job-a')],
    });
    const rows = [{ host: 'h-1' }, { host: 'h-2' }];
    const result = { job_id: 'job-a', run_id: 'r-0', rows, global_params: { team: 'blue' } };
    await drive.publish(topics.searchResults, result, 'job-a');
    let runs = 0;
    await answering<JobRequest>(drive, topics.jobRequests, async ({ job, hops, global_params }) => {
      runs += 1;
      if (runs > 20) throw new Error('the loop goes on');
      await drive.publish(
        topics.searchResults,
        { job_id: job, run_id: `r-${runs}`, rows, global_params, hops },
        job,
      );
    });
    const requests = drive.read(topics.jobRequests) as JobRequest[];
    expect(requests.map(({ job, hops }) => [job, hops])).toEqual([
      ['job-b', 1],
      ['job-a', 2],
      ['job-b', 3],
      ['job-a', 4],
      ['job-b', 5],
    ]);
    // Once: the first row of two.
    expect(requests[0]).toMatchObject({ parameters: { host: 'h-1' }, global_params: { team: 'blue' } });
    expect(letters(drive)).toEqual([expect.stringContaining('at most 4 may; not run: b')]);
    await drive.stop();
  });
});

describe('a playbook', () => {
  const steps = (waitFor: object, more: object = {}): Playbook => ({
    kind: 'playbook',
    id: 'confirm',
    trigger: { when: { events: ['finding.new'] } },
    steps: [
      {
        id: 'rescan',
        delay: 'PT1H',
        action: { type: 'rescan', ...more },
        with: { asset: { $: 'finding.asset.id' }, finding: { $: 'finding.finding_id' } },
      },
      {
        id: 'confirm',
        waitFor: { event: 'scan.completed', ...waitFor } as NonNullable<Playbook['steps'][number]['waitFor']>,
        deadline: 'PT6H',
        outputs: { open: { $: 'result.data.open_fingerprints' } },
      },
      {
        id: 'still-there',
        if: { 'steps.confirm.outputs.open': { field: 'finding.fingerprint' } },
        then: [{ id: 'escalate', action: { type: 'log' } }],
      },
    ],
  });
  const ended = (drive: Drive) =>
    [
      ...new Map(
        (drive.read(topics.runEvents) as FoldChange<RunState>[]).map(({ key, state }) => [
          key,
          state?.status,
        ]),
      ),
    ]
      .map(([, status]) => status)
      .sort();
  const completed = (data: object) => ({
    id: 'e-1',
    event: 'scan.completed',
    data: { open_fingerprints: ['web-01/f-1'], ...data },
  });

  test('waits an hour, asks, and ends when the scan with its id is completed', async () => {
    const drive = await startDrive({ documents: [steps({ correlate: '{{steps.rescan.command_id}}' })] });
    await drive.publish(topics.findings, finding('f-1'), 'web-01');
    await drive.advance(3_599_000);
    expect(scans(drive)).toEqual([]);
    await drive.advance(10_000);
    const [request] = scans(drive) as [ScanRequest];
    expect(checkDocument('scan-request.json', request)).toEqual([]);
    expect(request).toMatchObject({
      asset: 'web-01',
      findings: ['f-1'],
      correlation_id: request.command_id,
      playbook: { id: 'confirm', step: 'rescan#0' },
    });
    await drive.publish(
      topics.findings,
      { ...completed({ correlation_id: 'another' }), id: 'e-0' },
      'web-01',
    );
    await drive.advance(1_000);
    expect(ended(drive)).toEqual(['running']);
    await drive.publish(topics.findings, completed({ correlation_id: request.correlation_id }), 'web-01');
    await drive.advance(1_000);
    expect(ended(drive)).toEqual(['completed']);
    // The finding persists: the branch was taken.
    expect(drive.lineLog.lines).toHaveLength(1);
    await drive.stop();
  });

  test('runs that share a scan end with its one event', async () => {
    const drive = await startDrive({
      documents: [
        steps(
          { correlate: '{{steps.rescan.outputs.request_key}}', at: 'data.request_key' },
          { params: { coalesce: 'PT30M' } },
        ),
      ],
    });
    await drive.publish(topics.findings, finding('f-1'), 'web-01');
    await drive.publish(topics.findings, finding('f-2'), 'web-01');
    await drive.advance(3_700_000);
    const requests = scans(drive);
    expect(requests).toHaveLength(2);
    const keys = new Set(requests.map(({ request_key }) => request_key));
    expect(keys.size).toBe(1);
    await drive.publish(topics.findings, completed({ request_key: [...keys][0] }), 'web-01');
    await drive.advance(1_000);
    expect(ended(drive)).toEqual(['completed', 'completed']);
    expect(drive.lineLog.lines).toHaveLength(1);
    await drive.stop();
  });

  test('over HTTP the id that the scanner gives is what is waited for', async () => {
    const drive = await startDrive({
      documents: [
        { kind: 'connection', id: 's4e', type: 'http', host: 'api.s4e.io' },
        steps(
          { correlate: '{{steps.rescan.outputs.scan_id}}', at: 'data.scan_id' },
          { connection: 's4e', params: { via: 'http' } },
        ),
      ],
      http: () => ({ status: 201, body: '{"data":{"scan_id":"sc-44021","status":"queued"}}' }),
    });
    await drive.publish(topics.findings, finding('f-1'), 'web-01');
    await drive.advance(3_700_000);
    expect(drive.http.requests.map(({ url, body }) => [url, JSON.parse(String(body))])).toEqual([
      ['https://api.s4e.io/api/scan/create', { asset_id: 'web-01', scan_type: 'full' }],
    ]);
    expect(scans(drive)).toEqual([]);
    await drive.publish(topics.findings, completed({ scan_id: 'sc-44021' }), 'web-01');
    await drive.advance(1_000);
    expect(ended(drive)).toEqual(['completed']);
    await drive.stop();
  });
});
