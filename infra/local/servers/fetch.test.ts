// The names of the binaries follow the platform, and the pom is the only place with versions.
import { describe, expect, it } from 'vitest';
import { pinnedVersion, platformNames } from './fetch.ts';

describe('platformNames', () => {
  it.each([
    ['linux', 'x64', 'linux-amd64'],
    ['linux', 'arm64', 'linux-arm64v8'],
    ['darwin', 'x64', 'darwin-amd64'],
    ['darwin', 'arm64', 'darwin-arm64v8'],
  ])('%s %s', (os, arch, expected) => {
    expect(platformNames(os, arch, false).postgres).toBe(expected);
  });

  it.each([
    ['win32', 'x64', false],
    ['linux', 's390x', false],
    ['linux', 'x64', true],
  ])('has none for %s %s (musl %s) and names the way out', (os, arch, musl) => {
    expect(() => platformNames(os, arch, musl)).toThrow(/set KAFKA_BROKERS, REDIS_URL and DATABASE_URL/);
  });
});

describe('pinnedVersion', () => {
  it('reads the pom', () => {
    expect(pinnedVersion('kafka')).toMatch(/^\d+\.\d+\.\d+$/);
    expect(() => pinnedVersion('oracle')).toThrow('states no version of oracle');
  });
});
