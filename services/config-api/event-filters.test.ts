// Event types in two places of a body. Rows B12, B49 and B52 of the source documents' feature list.
import { expect, it } from 'vitest';
import { filterNotes, filtersOf } from './event-filters.ts';

it.each([
  [['finding.new'], undefined, ['finding.new']],
  [undefined, ['finding.new'], ['finding.new']],
  [['finding.*'], ['finding.new', 'scan.completed'], ['finding.new']],
  [['finding.new', 'scan.completed'], ['*'], ['finding.new', 'scan.completed']],
  [['finding.new'], ['finding.new', 'finding.*'], ['finding.new']],
])('B49: %j and %j are %j', (events, inner, both) => {
  expect(filtersOf(events, inner === undefined ? undefined : { events: inner })).toEqual({ events: both });
});

it('nothing in common is refused, and no events are no filter', () => {
  expect(() => filtersOf(['finding.new'], { events: ['scan.*'] })).toThrow(/names nothing/);
  expect(filtersOf(undefined, { min_severity: 'high' })).toEqual({ min_severity: 'high' });
});

it('notes unknown types, and lists through which nothing passes', () => {
  expect(filterNotes({ events: ['finding.new', '*', 'scan.*'] })).toEqual([]);
  expect(filterNotes({ events: ['own.type'] })).toEqual([
    { path: '/events', message: expect.stringContaining('own.type') },
  ]);
  expect(filterNotes({ events: ['finding.new'], exclude: ['finding.*'] })).toEqual([
    { path: '/filters/exclude', message: expect.stringContaining('nothing passes') },
  ]);
});
