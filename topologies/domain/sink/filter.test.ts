// Filters: which events pass. Rows B49 to B53 of the source documents' feature list.
import { describe, expect, it } from 'vitest';
import { compileFilter, filterWarnings, type SinkFilters } from './filter.ts';

const finding = (severity: unknown, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  event: 'finding.new',
  data: { ...(severity === undefined ? {} : { severity }), ...more },
});

function passes(filters: SinkFilters, event: Record<string, unknown>): boolean {
  const filter = compileFilter(filters);
  if (filter === null) throw new Error('no filter was made');
  return filter(event);
}

describe('filters', () => {
  it('is null, so that nothing is parsed, when it would let everything pass', () => {
    expect(compileFilter(undefined)).toBeNull();
    expect(compileFilter({})).toBeNull();
    expect(compileFilter({ exclude: [], asset_tags: [], drop_unrated: false })).toBeNull();
  });

  it.each([
    [['finding.new'], 'finding.new', true],
    [['finding.new'], 'finding.newer', false],
    [['finding.*'], 'finding.fixed', true],
    [['finding.*'], 'findings.fixed', false],
    [['*'], 'anything', true],
    [[], 'finding.new', false],
  ])('events %j, type %s: %s', (events, event, expected) => {
    expect(passes({ events }, { event })).toBe(expected);
  });

  it('an event without a type passes no events filter', () => {
    expect(passes({ events: ['*'] }, { data: {} })).toBe(false);
  });

  it('exclude wins over events and names types, severities of a family, and categories', () => {
    expect(passes({ events: ['finding.new'], exclude: ['finding.*'] }, finding('high'))).toBe(false);
    expect(passes({ exclude: ['finding.info'] }, finding('informational'))).toBe(false);
    expect(passes({ exclude: ['finding.info'] }, finding('low'))).toBe(true);
    expect(
      passes({ exclude: ['finding.info'] }, { event: 'scan.completed', data: { severity: 'info' } }),
    ).toBe(true);
    expect(passes({ exclude: ['finding.new:TLS'] }, finding('high', { category: 'tls' }))).toBe(false);
    expect(passes({ exclude: ['finding.new:tls'] }, finding('high', { category: 'sqli' }))).toBe(true);
    expect(passes({ exclude: ['finding.new:tls'] }, finding('high'))).toBe(true);
  });

  it.each([
    ['critical', true],
    ['High', true],
    ['medium', false],
    ['info', false],
    [undefined, true],
    [9.8, true],
  ])('min_severity high, severity %s: %s', (severity, expected) => {
    expect(passes({ min_severity: 'high' }, finding(severity))).toBe(expected);
  });

  it('drop_unrated drops what has no severity', () => {
    expect(passes({ min_severity: 'low', drop_unrated: true }, finding(undefined))).toBe(false);
    expect(passes({ drop_unrated: true }, { event: 'scan.completed' })).toBe(false);
    expect(passes({ drop_unrated: true }, finding('info'))).toBe(true);
  });

  it('asset_tags is any-of, in any case; an asset without tags is not forwarded', () => {
    const tagged = (tags: unknown): Record<string, unknown> => finding('low', { asset: { name: 'a', tags } });
    expect(passes({ asset_tags: ['PCI', 'prod'] }, tagged(['pci']))).toBe(true);
    expect(passes({ asset_tags: ['pci'] }, tagged(['dmz', 7]))).toBe(false);
    expect(passes({ asset_tags: ['pci'] }, tagged('pci'))).toBe(false);
    expect(passes({ asset_tags: ['pci'] }, finding('low'))).toBe(false);
  });

  it('all filters hold together', () => {
    const filters: SinkFilters = { events: ['finding.new'], min_severity: 'high', asset_tags: ['pci'] };
    expect(passes(filters, finding('critical', { asset: { tags: ['pci'] } }))).toBe(true);
    expect(passes(filters, finding('low', { asset: { tags: ['pci'] } }))).toBe(false);
    expect(passes(filters, finding('critical', { asset: { tags: [] } }))).toBe(false);
  });

  it('warns where nothing can pass', () => {
    expect(filterWarnings({ events: ['finding.new'], exclude: ['finding.*'] })).toEqual([
      'every type in events is excluded: nothing passes',
    ]);
    expect(filterWarnings({ events: ['finding.new', 'scan.completed'], exclude: ['scan.*'] })).toEqual([
      'events names scan.completed, which exclude removes',
    ]);
    expect(filterWarnings({ events: ['finding.new'], exclude: ['finding.info'] })).toEqual([]);
  });
});
