// Starting and handing on are deterministic: the same input and configuration give the same bytes, in whatever order they came.
import { createScanner, hashText } from '@tocsin/schemas/codecs/scan/scanner.ts';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Playbook, PlaybookTrigger, Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMatcher } from '../rules/matcher/matcher.ts';
import { referenceMatches } from '../rules/reference/match-rule.ts';
import { contextOf, decide } from './decide.ts';
import { eventInput, playbook, rule, tables } from './fixtures.ts';

const type = fc.constantFrom(
  'scan.completed',
  'Scan.Completed',
  'finding.new',
  'straße',
  'x*',
  'a.b.*',
  '\u0000',
  '"',
);
const text = fc.constantFrom('a', 'b', 'c');
const trigger = fc.record<PlaybookTrigger>({
  when: fc.oneof(
    fc.record({ event: type }),
    fc.record({ 'data.host': text }),
    fc.record({ 'data.host': fc.record({ not: text }) }),
  ) as fc.Arbitrary<Record<string, unknown>>,
  dedupe: fc.constantFrom(
    { key: ['finding.host'], window: 'P1D' },
    { key: ['finding.gone'], window: 'P1D' },
    { key: ['finding.host'], window: 'P1D', onDuplicate: 'parallel' as const },
  ),
});
const playbooks = fc
  .array(
    fc.record({
      trigger,
      waits: fc.array(fc.record({ event: type, at: fc.constantFrom('data.host', 'id') }), { maxLength: 3 }),
      enabled: fc.boolean(),
    }),
    {
      maxLength: 5,
    },
  )
  .map((all) =>
    all.map(
      ({ trigger: of, waits, enabled }, n): Playbook =>
        playbook(`p${n}`, {
          trigger: of,
          enabled,
          steps: [
            { id: 'first', action: 'log' },
            ...waits.map((wait, k) => ({ id: `w${k}`, waitFor: { ...wait, correlate: 'x' } })),
          ],
        }),
    ),
  );
const rules = fc
  .array(fc.nat(5), { maxLength: 3 })
  .map((all) =>
    all.map((n, k) => ({ ...rule(`r${k}`, [{ action: 'log' }]), then: [{ playbook: `p${n}` }] }) as Rule),
  );
const event = fc.record({
  id: fc.string({ minLength: 1, maxLength: 8 }),
  event: type,
  data: fc.record({ host: text }),
});

test('the order in which documents came changes nothing, nor does asking again', () => {
  fc.assert(
    fc.property(playbooks, rules, event, (some, asked, given) => {
      const forward = decide(eventInput(given), tables(asked, undefined, { seed: 1 }, some));
      const backward = decide(
        eventInput(given),
        tables([...asked].reverse(), undefined, { seed: 2 }, [...some].reverse()),
      );
      const sorted = (of: typeof forward) => ({
        ...of,
        correlations: [...of.correlations].sort((a, b) => (a.key < b.key ? -1 : 1)),
      });
      expect(JSON.stringify(sorted(backward))).toBe(JSON.stringify(sorted(forward)));
      for (const { input } of forward.starts) expect(checkDocument('run-input.json', input)).toEqual([]);
      for (const { input } of forward.correlations)
        expect(checkDocument('correlation-input.json', input)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('triggers start what the reference evaluator says, and bytes say what values say', () => {
  fc.assert(
    fc.property(playbooks, event, (some, given) => {
      const of = tables([], undefined, {}, some);
      const decision = decide(eventInput(given), of);
      const wanted = some.filter(({ enabled, trigger: { when } = {} }) => {
        const asked = { kind: 'rule', id: 'x', when, then: [{ action: 'a' }] } as Rule;
        return enabled !== false && referenceMatches(asked, { fields: given }, { now: 0, lists: new Map() });
      });
      expect(decision.starts.map(({ input }) => input.playbook)).toEqual(wanted.map(({ id }) => id));
      const matcher = createMatcher({ createScanner, hashText, seed: 7 });
      for (const entry of of.eventRules.values()) matcher.put(entry);
      const bytes = Buffer.from(JSON.stringify(given));
      const found = matcher.matchBytes(bytes, 0, bytes.length, contextOf({ timestamp: 0, now: 0 }, of));
      if (found.verdict === 'ok')
        expect(new Set(found.rules.map(({ document }) => document.id))).toEqual(
          new Set(
            [...of.eventRules.values()].flatMap(({ document }) =>
              referenceMatches(document, { fields: given }, { now: 0, lists: new Map() })
                ? [document.id]
                : [],
            ),
          ),
        );
      // Whatever is handed on was found by its bytes as well: otherwise the event would not have been decoded.
      if (found.verdict === 'ok' && decision.correlations.length > 0)
        expect(found.rules.map(({ document }) => document.id).some((id) => id.startsWith('wait:'))).toBe(
          true,
        );
      // And no event is decoded for waits of another type; letters in another case are of no weight in conditions.
      const awaited = [...of.waits.keys()].map((one) => one.toLowerCase());
      if (found.verdict === 'ok' && !awaited.includes(given.event.toLowerCase()))
        expect(found.rules.filter(({ document }) => document.id.startsWith('wait:'))).toEqual([]);
      if (found.verdict === 'ok')
        for (const { input } of decision.starts)
          expect(found.rules.map(({ document }) => document.id)).toContain(`playbook:${input.playbook}`);
    }),
    { numRuns: 300 },
  );
});
