// The saved objects hang together, and the charts ask for fields that the template makes countable.
import { expect, it } from 'vitest';
import { charts, savedObjects, savedObjectsFile } from './dashboards.ts';
import { indexTemplate } from './index-template.ts';

interface Mapping {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Mapping>>;
}

const objects = savedObjects('s4e', 's4e-events*');

it('one JSON object a line, each reference to an object before it', () => {
  const lines = savedObjectsFile(objects).split('\n');
  expect(lines.pop()).toBe('');
  const seen = new Set<string>();
  for (const object of lines.map((line) => JSON.parse(line) as (typeof objects)[number])) {
    for (const { type, id } of object.references) expect(seen).toContain(`${type}/${id}`);
    seen.add(`${object.type}/${object.id}`);
  }
  expect(seen.size).toBe(6);
});

it('the charts of the guide are on the dashboard', () => {
  expect(charts.map(({ title, kind }) => [title, kind])).toEqual([
    ['Finding count by severity', 'pie'],
    ['New findings over time', 'line'],
    ['Top affected assets', 'horizontal_bar'],
    ['Scan completion timeline', 'histogram'],
  ]);
  const { attributes, references } = objects.at(-1)!;
  const panels = JSON.parse(attributes.panelsJSON as string) as { panelRefName: string }[];
  expect(panels.map(({ panelRefName }) => references.find(({ name }) => name === panelRefName)?.id)).toEqual(
    charts.map(({ id }) => `s4e-${id}`),
  );
});

it('every chart counts by a keyword or a date of the template', () => {
  const { template } = indexTemplate('s4e-events', false) as {
    template: { mappings: Mapping };
  };
  const typeOf = (path: string): unknown =>
    path.split('.').reduce<Mapping | undefined>((at, name) => at?.properties?.[name], template.mappings)
      ?.type;
  for (const { by, query } of charts) {
    expect(typeOf('terms' in by ? by.terms : by.time)).toBe('terms' in by ? 'keyword' : 'date');
    expect(query).toMatch(/^event: "(finding\.new|scan\.completed)"$/);
  }
  for (const { type, attributes } of objects)
    if (type === 'visualization')
      expect(JSON.parse(attributes.visState as string)).toMatchObject({ aggs: [{ id: '1' }, { id: '2' }] });
});
