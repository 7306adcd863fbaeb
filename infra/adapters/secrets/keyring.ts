// The keys that wrap the data keys of stored secrets: a file `{"active":"k2","keys":{"k1":"<base64>","k2":"<base64>"}}`.
// Invariant: a keyring has an active key, every key has exactly 256 bits, and nobody but the file's owner can read the file.
// Surprise: old keys stay in the file until no secret is wrapped with them any more; new secrets always use the active one.
import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';

export interface Keyring {
  readonly active: string;
  /** Undefined for an unknown id. */
  key(id: string): Buffer | undefined;
}

/** The file is missing, readable by others, or not a keyring. The message never holds key material. */
export class KeyringError extends Error {
  override readonly name = 'KeyringError';
}

const KEY_BYTES = 32;

export function loadKeyring(path: string): Keyring {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new KeyringError(
      `keyring ${path} cannot be opened (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
    );
  }
  try {
    // Of the open file, so that nothing can be swapped between the check and the read.
    const mode = fstatSync(fd).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new KeyringError(
        `keyring ${path} has mode ${mode.toString(8)}; it must not be accessible to others (chmod 0400)`,
      );
    }
    return parseKeyring(readFileSync(fd, 'utf8'), path);
  } finally {
    closeSync(fd);
  }
}

/** Creates the file with one new key and mode 0400; throws EEXIST when there is one already. */
export function createKeyring(path: string): Keyring {
  const text = `${JSON.stringify({ active: 'k1', keys: { k1: randomBytes(KEY_BYTES).toString('base64') } })}\n`;
  const fd = openSync(path, 'wx', 0o400);
  try {
    writeSync(fd, text);
    // Losing the key loses every secret: it has to be on disk before the first secret is.
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return parseKeyring(text, path);
}

export function parseKeyring(text: string, where = 'keyring'): Keyring {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new KeyringError(`${where} is not JSON`);
  }
  const { active, keys } = (document ?? {}) as { active?: unknown; keys?: unknown };
  if (typeof active !== 'string' || typeof keys !== 'object' || keys === null) {
    throw new KeyringError(`${where} must be {"active": id, "keys": {id: base64}}`);
  }
  const known = new Map<string, Buffer>();
  for (const [id, encoded] of Object.entries(keys)) {
    const key = typeof encoded === 'string' ? Buffer.from(encoded, 'base64') : Buffer.alloc(0);
    if (key.length !== KEY_BYTES || key.toString('base64') !== encoded) {
      throw new KeyringError(`key ${id} of ${where} is not ${KEY_BYTES} bytes of base64`);
    }
    known.set(id, key);
  }
  if (!known.has(active)) throw new KeyringError(`the active key ${active} is not in ${where}`);
  return { active, key: (id) => known.get(id) };
}
