// Event logging: one line per row, and no value can forge a line or move a terminal.
import { describe, expect, it } from 'vitest';
import { fakeLineLog } from '../../ports/fakes/line-log.ts';
import { contextFor, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, findingNew, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { log } from './execute.ts';
import { logLines } from './request.ts';

contract(log, {
  folder: new URL('./', import.meta.url),
  params: {},
  missing: null,
  connection: null,
  secrets: [],
});

const now = Date.UTC(2026, 3, 28, 12, 0, 1);

describe('log', () => {
  it('C44: writes one line per row, parseable, with command, rule and row index', () => {
    const lines = logLines(rowsCommand([{ a: 1 }, { 'b.c': 'x' }], { type: 'log' }), now);
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        time: '2026-04-28T12:00:01.000Z',
        command_id: '0123456789abcdef0123456789abcdef',
        source: 'job-7/run-1',
        rule: 'critical-findings',
        rule_name: 'Critical findings',
        action: 'notify',
        search: 'Failed logins',
        row_index: 0,
        row: { a: 1 },
      },
      expect.objectContaining({ row_index: 1, row: { 'b.c': 'x' } }),
    ]);
  });

  it('keeps the row index of mode each', () => {
    const command = rowsCommand([{ a: 1 }], { mode: 'each', row_index: 17 });
    expect(JSON.parse(logLines(command, now)[0] as string)).toMatchObject({ row_index: 17 });
  });

  it('writes an event whole, on one line', () => {
    const lines = logLines(eventCommand({ type: 'log' }), now);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] as string).event).toEqual(findingNew);
  });

  it('C44: escapes line breaks, terminal escapes, C1, separators and direction marks, and loses none of them', () => {
    const forged = 'x\r\n{"forged":true}\u001b[2J\u009b31m\u0085\u2028\u2029\u202e\u2066\u007f\u0000\ufeff';
    const line = logLines(rowsCommand([{ [forged]: forged }]), now)[0] as string;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must be absent
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/);
    expect(JSON.parse(line).row).toEqual({ [forged]: forged });
  });

  it('C44: is tried again when the disk refuses, and says why without the path', async () => {
    const ports = { ...fakes(), lineLog: fakeLineLog() };
    ports.lineLog.fail(
      Object.assign(new Error('ENOSPC: no space left on device, write /var/x'), { code: 'ENOSPC' }),
    );
    const outcome = await log.execute(rowsCommand([{ a: 1 }]), contextFor(log, ports));
    expect(outcome).toEqual({
      status: 'failed',
      code: 'disk',
      retry: 'backoff',
      detail: 'the event log could not be written: ENOSPC',
    });
  });
});
