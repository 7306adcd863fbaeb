// The terminal gets warnings and errors, nothing else.
import { expect, it } from 'vitest';
import { warningLine } from './log-lines.ts';

it.each([
  ['{"level":40,"time":1,"msg":"slow","ms":12}', false, 'WARN slow ms=12'],
  ['{"level":"error","message":"broken","error":"Error: x\\n  at y"}', false, 'ERROR broken error=Error: x'],
  ['{"level":30,"msg":"ready"}', false, undefined],
  ['{"level":"info","msg":"ready"}', true, undefined],
  ['plain text', false, undefined],
  ['TypeError: boom', true, 'TypeError: boom'],
  ['    at file:///x.ts:1:2', true, undefined],
  ['node:internal/modules/run_main:107', true, undefined],
  ['', true, undefined],
  ['null', true, undefined],
])('%s (stderr %s)', (line, isError, expected) => {
  expect(warningLine(line, isError)).toBe(expected);
});

it('shortens what is long', () => {
  expect(
    warningLine(JSON.stringify({ level: 50, msg: 'x', detail: 'y'.repeat(5_000) }), false)?.length,
  ).toBeLessThan(200);
});
