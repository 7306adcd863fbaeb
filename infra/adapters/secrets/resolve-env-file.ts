// Secret references of configuration files: the value of an environment variable or of a file.
// Invariant: errors name the reference and the kind of trouble, never a value.
// Surprise: one line feed at the end of a file is dropped, because editors and `echo` add it; other white space is part of the value.
import { readFile } from 'node:fs/promises';
import { SecretError, SecretValue } from '@tocsin/topologies/ports/secrets.ts';

// A secret is a password, a token or a PEM bundle; a larger file is a mistake.
const MAX_FILE_BYTES = 256 * 1024;

/** Rejects with SecretError when the variable is not set or empty. */
export function resolveEnv(name: string, env: Readonly<Record<string, string | undefined>>): SecretValue {
  const value = env[name];
  if (value === undefined || value === '') throw new SecretError(`environment variable ${name} is not set`);
  return new SecretValue(value);
}

/** Reads the file anew at each call, so that a rotated file is seen. Rejects with SecretError. */
export async function resolveFile(path: string): Promise<SecretValue> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new SecretError(
      `secret file ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
    );
  }
  if (bytes.length > MAX_FILE_BYTES)
    throw new SecretError(`secret file ${path} is larger than ${MAX_FILE_BYTES} bytes`);
  const value = bytes.toString('utf8').replace(/\r?\n$/, '');
  if (value === '') throw new SecretError(`secret file ${path} is empty`);
  return new SecretValue(value);
}
