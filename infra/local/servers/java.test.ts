// Java is found where it is and refused in one line where it is too old.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { afterAll, describe, expect, it } from 'vitest';
import { findJava, parseJavaVersion } from './java.ts';

const scratch = scratchFolder('java');
afterAll(() => scratch.remove());

function fakeJava(path: string, versionLine: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho '${versionLine}' >&2\n`);
  chmodSync(path, 0o755);
}

// First lines as the vendors print them.
describe('parseJavaVersion', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "25" 2025-09-16 LTS', 25],
    ['java version "1.8.0_402"', 8],
    ['openjdk version "11.0.22" 2024-01-16', 11],
    ['openjdk version "21-ea" 2023-09-19', 21],
    ['Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.9" 2023-10-17', 17],
  ])('%s', (line, major) => {
    expect(parseJavaVersion(line)?.major).toBe(major);
  });

  it.each([
    '',
    'command not found',
    'The operation couldn’t be completed. Unable to locate a Java Runtime.',
    'version "x"',
  ])('no version in %j', (line) => {
    expect(parseJavaVersion(line)).toBeUndefined();
  });
});

describe('findJava', () => {
  const nothing = { PATH: '/nowhere', TOCSIN_JVM_FOLDERS: '/nowhere' };

  it('prefers JAVA_HOME, also with a space in its path', () => {
    const home = join(scratch.path, 'a jdk');
    fakeJava(join(home, 'bin/java'), 'openjdk version "21.0.2" 2024-01-16');
    fakeJava(join(scratch.path, 'path/java'), 'openjdk version "17.0.1" 2021-10-19');
    const java = findJava({ ...nothing, JAVA_HOME: home, PATH: join(scratch.path, 'path') });
    expect(java).toMatchObject({ home, major: 21, version: '21.0.2' });
  });

  it('goes on to PATH when JAVA_HOME is too old, and to the usual folders after that', () => {
    const old = join(scratch.path, 'old');
    fakeJava(join(old, 'bin/java'), 'java version "1.8.0_402"');
    const folders = join(scratch.path, 'jvm');
    fakeJava(join(folders, 'java-17/bin/java'), 'openjdk version "17.0.15" 2025-04-15');
    expect(findJava({ JAVA_HOME: old, PATH: join(old, 'bin'), TOCSIN_JVM_FOLDERS: folders }).major).toBe(17);
  });

  it('says in one line what to install when all are too old or absent', () => {
    const old = join(scratch.path, 'old');
    fakeJava(join(old, 'bin/java'), 'openjdk version "11.0.22" 2024-01-16');
    const message = (env: NodeJS.ProcessEnv) => {
      try {
        findJava(env);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    expect(message({ ...nothing, JAVA_HOME: old })).toMatch(
      /^Java 17 or newer is needed \(found only 11\.0\.22 at .*: install it .*$/,
    );
    expect(message(nothing)).toMatch(/^Java 17 or newer is needed \(none was found\): install it .*$/);
  });
});
