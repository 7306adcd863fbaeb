// Exports: what is exported, the contract over each sink, parameters that contradict each other, and what is refused.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import {
  eventCommand,
  findingNew,
  httpConnection,
  rowsCommand,
  syslogConnection,
} from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { exportAction } from './execute.ts';
import { recordsOf } from './records.ts';

const folder = new URL('./', import.meta.url);

contract(exportAction, {
  folder,
  params: { sink: 'files' },
  missing: null,
  connection: null,
  secrets: [],
  uses: ['lake'],
});
contract(exportAction, {
  folder,
  params: { sink: 'splunk-hec', splunk: { index: 'security' } },
  missing: null,
  connection: httpConnection(),
  secrets: ['token'],
  // Splunk docs, "Troubleshoot HTTP Event Collector": code 0 is Success.
  accepted: '{"text":"Success","code":0}',
  uses: ['http'],
});
contract(exportAction, {
  folder,
  params: { sink: 'syslog', syslog: { format: 'leef' } },
  missing: null,
  connection: syslogConnection(),
  secrets: [],
  uses: ['syslog'],
});

describe('what is exported', () => {
  it('A12: is the event as it came, with an id and the id of the command', () => {
    const command = eventCommand({ type: 'export', params: { sink: 'files' } });
    expect(recordsOf(command)).toEqual([
      {
        id: 'findings.v1/0/42',
        at: Date.UTC(2026, 3, 28, 12),
        row: findingNew.data,
        envelope: { ...findingNew, id: 'findings.v1/0/42', command_id: command.command_id },
      },
    ]);
    const named = eventCommand({ event: { ...findingNew, id: 'evt-8a3b9c2d', x_own: [1] } });
    expect(recordsOf(named)[0]).toMatchObject({
      id: 'evt-8a3b9c2d',
      envelope: { id: 'evt-8a3b9c2d', x_own: [1] },
    });
  });

  it('is each row in an envelope of its own, with its own time or that of its search', () => {
    const command = rowsCommand([{ host: 'a', '@timestamp': '2026-04-27T23:59:59Z' }, { host: 'b' }], {
      tenant: 't1',
    });
    const records = recordsOf(command);
    expect(records.map(({ id, at }) => [id, new Date(at).toISOString()])).toEqual([
      [`${command.command_id}-0`, '2026-04-27T23:59:59.000Z'],
      [`${command.command_id}-1`, '2026-04-28T12:00:00.000Z'],
    ]);
    for (const { envelope } of records) expect(checkDocument('envelope.json', envelope)).toEqual([]);
    expect(records[1]?.envelope).toEqual({
      id: `${command.command_id}-1`,
      event: 'search.result',
      timestamp: '2026-04-28T12:00:00.000Z',
      tenant: 't1',
      search: { job_id: 'job-7', run_id: 'run-1', name: 'Failed logins' },
      data: { host: 'b' },
      command_id: command.command_id,
    });
  });

  it('has a day even where the time of a row is beyond all calendars', () => {
    const command = rowsCommand([{ time: 8.64e15 }, { time: -8.64e15 }, { time: -1 }]);
    expect(recordsOf(command).map(({ at }) => at)).toEqual(Array(3).fill(command.created_at));
  });
});

describe('A19: parameters', () => {
  it.each<readonly [object, string]>([
    [{}, '/sink'],
    [{ sink: 's3' }, '/sink'],
    [{ sink: 'files', splunk: {} }, '/splunk'],
    [{ sink: 'splunk-hec', files: {} }, '/files'],
    [{ sink: 'splunk-hec', splunk: { path: '/services/collector/raw' } }, '/splunk/path'],
    [{ sink: 'splunk-hec', splunk: { nowhere: 1 } }, '/splunk/nowhere'],
    // One attempt ends with the answer, and nobody would hear of the acknowledgement.
    [{ sink: 'splunk-hec', splunk: { ack: true } }, '/splunk/ack'],
    [{ sink: 'syslog', syslog: { proof_ms: 1000 } }, '/syslog/proof_ms'],
    [{ sink: 'syslog', syslog: { fields: { nokey: 'data.x' } } }, '/syslog/fields/nokey'],
    [{ sink: 'syslog', syslog: { format: 'rfc5424', header: 'none' } }, '/syslog/header'],
    [{ sink: 'files', files: { compression: 'none' } }, '/files/compression'],
    ...['../x', '/etc', 'a/../b', 'a//b', 'a/', '.hidden', 'a\\b', 'a/./b', 'a b', '{{data.x}}', 'a\n'].map(
      (path) => [{ sink: 'files', files: { folder: path } }, '/files/folder'] as const,
    ),
  ])('%j is refused at %s', (params, path) => {
    expect(checkParams(exportAction, params).map((issue) => issue.path)).toEqual([path]);
  });

  it('A25a: the connection has to be of the type that the sink uses', () => {
    const issues = (sink: string, type: 'http' | 'syslog') =>
      exportAction.checkConnection?.(
        { sink },
        (type === 'http' ? httpConnection() : syslogConnection()).config,
      ) ?? [];
    expect(issues('splunk-hec', 'http')).toEqual([]);
    expect(issues('syslog', 'syslog')).toEqual([]);
    for (const [sink, type] of [
      ['splunk-hec', 'syslog'],
      ['syslog', 'http'],
      ['files', 'http'],
    ] as const)
      expect(issues(sink, type).map(({ path }) => path)).toEqual(['/sink']);
  });
});
