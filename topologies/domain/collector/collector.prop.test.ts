// Whatever the order, whatever is repeated: the command over a run in chunks is the one that the evaluator makes of the same run
// in one record, and its bytes do not depend on the order.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hitTables, inputOf, type Row, stageCollector, wholeCommand } from './kit.ts';

const row = fc.record({ hit: fc.boolean(), text: fc.string({ maxLength: 8 }) });
const parts = fc.array(fc.array(row, { maxLength: 4 }), { minLength: 2, maxLength: 6 });

/** Places of all chunks in any order, some of them several times. */
const orderOf = (count: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat({ max: count - 1 }), { maxLength: 4 }).chain((repeated) => {
    const all = [...Array(count).keys(), ...repeated];
    return fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length });
  });

function inputsOf(chunks: readonly Row[][], hasBase: boolean, tables: ReturnType<typeof hitTables>) {
  let base = 0;
  return chunks.map((rows, chunk) => {
    const numbers = { chunk, chunks: chunks.length, ...(hasBase ? { row_base: base } : {}) };
    base += rows.length;
    return inputOf(rows, numbers, tables, 100 + chunk);
  });
}

test.each(['all', 'first'] as const)('%s: any order gives what one record gives', (mode) => {
  const tables = hitTables({ mode });
  fc.assert(
    fc.property(
      parts.chain((chunks) => fc.tuple(fc.constant(chunks), orderOf(chunks.length), fc.boolean())),
      ([chunks, order, hasBase]) => {
        const inputs = inputsOf(chunks, hasBase, tables);
        const inOrder = stageCollector();
        for (const input of inputs) inOrder.put(input);
        const stage = stageCollector();
        for (const place of order) stage.put(inputs[place]!);

        const bytes = stage.records.filter(({ topic }) => topic.startsWith('commands.'));
        expect(bytes).toEqual(inOrder.records.filter(({ topic }) => topic.startsWith('commands.')));
        expect([stage.timers.size, stage.letters()]).toEqual([0, []]);
        expect(stage.state?.status).toBe('ended');

        const whole = wholeCommand(chunks.flat(), tables);
        const commands = stage.commands();
        expect(commands.length).toBe(whole === undefined ? 0 : 1);
        if (whole === undefined) return;
        const { source, subject, ...rest } = whole;
        expect(commands[0]).toMatchObject(rest);
        expect(commands[0]?.source).toEqual({ ...source, offset: 100 });
        const { total_rows, ...held } = subject;
        expect(commands[0]?.subject).toEqual(mode === 'all' ? { ...held, total_rows } : held);
      },
    ),
    { numRuns: 500 },
  );
});

test('every order of three chunks gives the same bytes', () => {
  const tables = hitTables({ mode: 'all' });
  const inputs = inputsOf([[{ hit: true, n: 0 }], [{ hit: false }], [{ hit: true, n: 1 }]], true, tables);
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const values = orders.map((order) => {
    const stage = stageCollector();
    for (const place of order) stage.put(inputs[place]!);
    return stage.records
      .filter(({ topic }) => topic.startsWith('commands.'))
      .map(({ value }) => String(value));
  });
  expect(values[0]?.length).toBe(1);
  expect(new Set(values.map((value) => value.join('\n'))).size).toBe(1);
});
