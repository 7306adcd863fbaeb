// The committed pages are what the topology says today; the topology itself is consistent.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { manifests } from '../actions/registry.ts';
import { allTopics } from '../all-topics.ts';
import { flows } from '../flows/all.ts';
import { topics } from '../topics.ts';
import { renderAll, withActionTable } from './pages.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('generated pages', () => {
  for (const [path, content] of renderAll())
    test(`${path} is up to date`, () => {
      expect(readFileSync(join(root, path), 'utf8')).toBe(content);
    });

  test('the table of action types in README.md is up to date', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    expect(withActionTable(readme)).toBe(readme);
    for (const type of manifests.keys()) expect(readme).toContain(`](docs/generated/actions/${type}.md)`);
    expect(() => withActionTable('# Tocsin')).toThrow('once, in this order');
  });

  test('nothing else lies in docs/generated', () => {
    const expected = [...renderAll().keys()].map((path) => path.replace('docs/generated/', '')).sort();
    const held = readdirSync(join(root, 'docs/generated'), { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(join(root, 'docs/generated'), join(entry.parentPath, entry.name)));
    expect(held.sort()).toEqual(expected);
  });
});

describe('topology', () => {
  test('every topic has a writer (or is external) and a reader (or is an end)', () => {
    const written = new Set(flows.flatMap((flow) => flow.writes.map((topic) => topic.name)));
    const read = new Set(
      flows.flatMap((flow) =>
        [...flow.reads, ...flow.tables, ...(flow.kind === 'fold' ? [flow.changelog] : [])].map(
          (topic) => topic.name,
        ),
      ),
    );
    const ends = new Set([
      topics.deadLetters.name,
      topics.audit.name,
      topics.scanRequests.name,
      topics.jobRequests.name,
      topics.assetUpdates.name,
    ]);
    expect(
      allTopics()
        .filter((topic) => !topic.external && !written.has(topic.name))
        .map((topic) => topic.name),
    ).toEqual([]);
    expect(
      allTopics()
        .filter((topic) => !ends.has(topic.name) && !read.has(topic.name))
        .map((topic) => topic.name),
    ).toEqual([]);
  });

  test('input, changelog and timers of a fold have the same partitions', () => {
    for (const flow of flows)
      if (flow.kind === 'fold') {
        expect(flow.writes).toContain(flow.changelog);
        for (const topic of [flow.changelog, ...flow.tables.filter(({ id }) => id === topics.timers.id)])
          expect([topic.name, topic.partitions]).toEqual([topic.name, flow.reads[0]?.partitions]);
      }
  });

  test('a group belongs to one flow', () => {
    // A sink's stands for one of each configured sink, whatever its type.
    const ids = flows.flatMap(({ group }) => (group === null || group.id.includes('<id>') ? [] : [group.id]));
    expect(ids.length).toBeGreaterThan(5);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('every flow has its service and every service its flow', () => {
    const services = readdirSync(join(root, 'services')).sort();
    // An agent knows no log: it is asked by a worker.
    expect([...new Set([...flows.map((flow) => flow.service), 'agent'])].sort()).toEqual(services);
    expect(services.filter((name) => !existsSync(join(root, 'services', name, 'main.ts')))).toEqual([]);
  });

  test('topic words are joined by - and . only', () => {
    expect(allTopics().filter((topic) => !/^[a-z0-9.-]+$/.test(topic.name))).toEqual([]);
  });
});
