// Envelope, keyring and references without a database. The envelope is opened by a second, separate reading of the format.
import { createDecipheriv, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createSecrets } from './composite.ts';
import { openSecret, type SealedSecret, sealSecret } from './envelope.ts';
import { createKeyring, loadKeyring, parseKeyring } from './keyring.ts';

const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const k1 = randomBytes(32);
const k2 = randomBytes(32);
const ring = (active: string, keys: Record<string, Buffer>) =>
  parseKeyring(
    JSON.stringify({
      active,
      keys: Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, key.toString('base64')])),
    }),
  );
const keyring = ring('k2', { k1, k2 });
const identity = { tenant: 'default', secretId: 'jira-token', version: 3 };

describe('envelope', () => {
  it('opens to what was sealed', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        (value) => openSecret(keyring, identity, sealSecret(keyring, identity, value)) === value,
      ),
    );
  });

  it('is AES-256-GCM with length-prefixed associated data, readable without this code', () => {
    const sealed = sealSecret(keyring, identity, 'väl');
    const aad = (purpose: string) =>
      Buffer.concat(
        [purpose, 'default', 'jira-token', '3', 'k2', 'A256GCM'].map((part) => {
          const head = Buffer.alloc(4);
          head.writeUInt32BE(Buffer.byteLength(part));
          return Buffer.concat([head, Buffer.from(part)]);
        }),
      );
    const open = (key: Buffer, iv: Buffer, ct: Buffer, tag: Buffer, purpose: string): Buffer => {
      const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
      decipher.setAAD(aad(purpose));
      decipher.setAuthTag(tag);
      return Buffer.concat([decipher.update(ct), decipher.final()]);
    };
    const dek = open(
      k2,
      sealed.dekIv,
      sealed.dekWrapped.subarray(0, 32),
      sealed.dekWrapped.subarray(32),
      'tocsin-dek-v1',
    );
    expect(open(dek, sealed.iv, sealed.ct, sealed.tag, 'tocsin-secret-v1').toString()).toBe('väl');
    expect([sealed.iv.length, sealed.dekIv.length, sealed.tag.length]).toEqual([12, 12, 16]);
  });

  it('uses new keys and vectors every time', () => {
    const seals = Array.from({ length: 50 }, () => sealSecret(keyring, identity, 'same'));
    for (const field of ['iv', 'dekIv', 'ct', 'tag', 'dekWrapped'] as const) {
      expect(new Set(seals.map((sealed) => sealed[field].toString('hex'))).size).toBe(50);
    }
  });

  const refused = (sealed: SealedSecret, as = identity, by = keyring): void =>
    expect(() => openSecret(by, as, sealed)).toThrow(/does not decrypt|no key/);

  it('does not open after any change of any byte', () => {
    const sealed = sealSecret(keyring, identity, 'a secret value');
    for (const field of ['iv', 'dekIv', 'ct', 'tag', 'dekWrapped'] as const) {
      for (let i = 0; i < sealed[field].length; i++) {
        const changed = Buffer.from(sealed[field]);
        changed[i]! ^= 1;
        refused({ ...sealed, [field]: changed });
      }
    }
  });

  it('does not open with a shortened tag', () => {
    const sealed = sealSecret(keyring, identity, 'a secret value');
    for (const length of [0, 4, 8, 12, 13, 14, 15]) {
      refused({ ...sealed, tag: sealed.tag.subarray(0, length) });
      refused({ ...sealed, dekWrapped: sealed.dekWrapped.subarray(0, 32 + length) });
    }
  });

  it('does not open as another row, version, tenant or key', () => {
    const sealed = sealSecret(keyring, identity, 'a secret value');
    refused(sealed, { ...identity, secretId: 'jira-tokem' });
    refused(sealed, { ...identity, version: 4 });
    refused(sealed, { ...identity, tenant: 'other' });
    refused(sealed, { ...identity, tenant: 'defaultj', secretId: 'ira-token' });
    refused({ ...sealed, kekId: 'k1' });
    refused({ ...sealed, kekId: 'k9' });
    refused({ ...sealed, alg: 'A128GCM' as 'A256GCM' });
    refused(sealed, identity, ring('k2', { k1, k2: randomBytes(32) }));
    const other = sealSecret(keyring, { ...identity, secretId: 'other' }, 'x');
    refused({ ...sealed, dekWrapped: other.dekWrapped, dekIv: other.dekIv });
    refused({ ...sealed, iv: other.iv, ct: other.ct, tag: other.tag });
  });

  it('opens with an old key after the active one changed', () => {
    const sealed = sealSecret(ring('k1', { k1 }), identity, 'old');
    expect(openSecret(keyring, identity, sealed)).toBe('old');
    expect(sealSecret(keyring, identity, 'new').kekId).toBe('k2');
  });
});

describe('keyring file', () => {
  it('is made with mode 0400, not over an existing one, and loads', () => {
    const path = join(folder, 'keyring');
    const made = createKeyring(path);
    expect(statSync(path).mode & 0o777).toBe(0o400);
    expect(loadKeyring(path).key('k1')).toEqual(made.key('k1'));
    expect(() => createKeyring(path)).toThrow('EEXIST');
  });
  it.each([0o440, 0o404, 0o644, 0o600 | 0o010])('is refused with mode %o', (mode) => {
    const path = join(folder, `keyring-${mode}`);
    createKeyring(path);
    chmodSync(path, mode);
    expect(() => loadKeyring(path)).toThrow('chmod 0400');
  });
  it.each([
    ['nonsense', 'not JSON'],
    ['null', 'must be'],
    ['{"active":"k1","keys":{}}', 'active key k1 is not in'],
    ['{"active":"k1","keys":{"k1":"c2hvcnQ="}}', 'not 32 bytes'],
    [`{"active":"k1","keys":{"k1":"${'A'.repeat(42)}!!"}}`, 'not 32 bytes'],
  ])('%s is refused', (text, message) => {
    expect(() => parseKeyring(text)).toThrow(message);
    try {
      parseKeyring(text);
    } catch (error) {
      expect((error as Error).message).not.toContain('c2hvcnQ');
    }
  });
  it('that is missing is refused', () => expect(() => loadKeyring(join(folder, 'none'))).toThrow('ENOENT'));
});

describe('references', () => {
  const seen: string[] = [];
  const secrets = createSecrets({
    env: { TOKEN: 'from-env', EMPTY: '' },
    registerSecret: (value) => void seen.push(value),
  });

  it('to the environment and to files give the value and register it', async () => {
    writeFileSync(join(folder, 'token'), ' from file \n');
    expect((await secrets.resolve({ env: 'TOKEN' })).reveal()).toBe('from-env');
    const value = await secrets.resolve({ file: join(folder, 'token') });
    expect(value.reveal()).toBe(' from file ');
    expect(seen).toEqual(['from-env', ' from file ']);
    expect(`${value} ${JSON.stringify({ value })} ${inspect(value)}`).not.toContain('from file');
  });
  it('that have no value fail and name themselves', async () => {
    writeFileSync(join(folder, 'empty'), '\n');
    await expect(secrets.resolve({ env: 'NOPE' })).rejects.toThrow('environment variable NOPE is not set');
    await expect(secrets.resolve({ env: 'EMPTY' })).rejects.toThrow('EMPTY');
    await expect(secrets.resolve({ file: join(folder, 'none') })).rejects.toThrow('ENOENT');
    await expect(secrets.resolve({ file: join(folder, 'empty') })).rejects.toThrow('is empty');
    await expect(secrets.resolve({ secret: 'x' })).rejects.toThrow('no secret store');
  });
});
