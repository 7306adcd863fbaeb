// Which releases of OpenSearch a machine can run is said aloud when it is not all of them.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openSearchReleases } from './opensearch-server.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder('opensearch-java');
afterAll(() => scratch.remove());

function machineWith(version: string): NodeJS.ProcessEnv {
  const binary = join(scratch.path, version, 'bin', 'java');
  mkdirSync(dirname(binary), { recursive: true });
  writeFileSync(binary, `#!/bin/sh\necho 'openjdk version "${version}"' >&2\n`);
  chmodSync(binary, 0o755);
  return { JAVA_HOME: join(scratch.path, version), PATH: '/nowhere', TOCSIN_JVM_FOLDERS: '/nowhere' };
}

// OpenSearch 3.0 raised its minimum to JDK 21.
it.each([
  ['17.0.15', ['2.19'], [/^NOT TESTED with OpenSearch 3\.5: Java 21 or newer is needed .*17\.0\.15/]],
  ['21.0.2', ['2.19', '3.5'], []],
  ['25', ['2.19', '3.5'], []],
])('Java %s', (version, releases, said) => {
  const lines: string[] = [];
  expect(openSearchReleases(machineWith(version), (line) => lines.push(line))).toEqual(releases);
  expect(lines).toEqual(said.map((line) => expect.stringMatching(line)));
});
