// Envelope encryption of secret values: AES-256-GCM under a data key of its own per version, which a key of the keyring wraps.
// Invariant: a sealed value opens only as the row it was sealed for (tenant, id, version, wrapping key, algorithm), because these
// are authenticated with it; a changed, truncated or moved value does not open.
// Surprise: Node accepts shortened GCM tags unless authTagLength is given when opening as well (NIST SP 800-38D 5.2.1.2 allows them).
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SecretError } from '@tocsin/topologies/ports/secrets.ts';
import type { Keyring } from './keyring.ts';

export interface SecretIdentity {
  readonly tenant: string;
  readonly secretId: string;
  readonly version: number;
}

export interface SealedSecret {
  /** Id of the key that wraps the data key. */
  readonly kekId: string;
  /** 12 bytes and 32 + 16 bytes: the wrapped data key with its tag. */
  readonly dekIv: Buffer;
  readonly dekWrapped: Buffer;
  readonly iv: Buffer;
  readonly ct: Buffer;
  /** 16 bytes. */
  readonly tag: Buffer;
  readonly alg: 'A256GCM';
}

const ALG = 'A256GCM';
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** Seals under the keyring's active key. */
export function sealSecret(keyring: Keyring, identity: SecretIdentity, value: string): SealedSecret {
  const dek = randomBytes(KEY_BYTES);
  const kekId = keyring.active;
  const sealed = encrypt(dek, Buffer.from(value, 'utf8'), aad('tocsin-secret-v1', identity, kekId));
  const wrapped = encrypt(keyOf(keyring, kekId), dek, aad('tocsin-dek-v1', identity, kekId));
  dek.fill(0);
  return {
    kekId,
    dekIv: wrapped.iv,
    dekWrapped: Buffer.concat([wrapped.ct, wrapped.tag]),
    ...sealed,
    alg: ALG,
  };
}

/** Throws SecretError when the key is unknown or anything was changed; the message does not say which part. */
export function openSecret(keyring: Keyring, identity: SecretIdentity, sealed: SealedSecret): string {
  const kek = keyOf(keyring, sealed.kekId);
  try {
    if (sealed.alg !== ALG || sealed.dekWrapped.length !== KEY_BYTES + TAG_BYTES) throw new Error('shape');
    const dek = decrypt(
      kek,
      {
        iv: sealed.dekIv,
        ct: sealed.dekWrapped.subarray(0, KEY_BYTES),
        tag: sealed.dekWrapped.subarray(KEY_BYTES),
      },
      aad('tocsin-dek-v1', identity, sealed.kekId),
    );
    const value = decrypt(dek, sealed, aad('tocsin-secret-v1', identity, sealed.kekId));
    dek.fill(0);
    return value.toString('utf8');
  } catch {
    throw new SecretError(
      `secret ${identity.secretId} version ${identity.version} does not decrypt: changed or moved`,
    );
  }
}

interface Sealed {
  readonly iv: Buffer;
  readonly ct: Buffer;
  readonly tag: Buffer;
}

function encrypt(key: Buffer, plain: Buffer, associated: Buffer): Sealed {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(associated);
  const ct = Buffer.concat([cipher.update(plain), cipher.final()]);
  return { iv, ct, tag: cipher.getAuthTag() };
}

function decrypt(key: Buffer, sealed: Sealed, associated: Buffer): Buffer {
  const decipher = createDecipheriv(CIPHER, key, sealed.iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated).setAuthTag(sealed.tag);
  return Buffer.concat([decipher.update(sealed.ct), decipher.final()]);
}

// Each part with its length before it, so that no two different rows give the same bytes.
function aad(purpose: string, identity: SecretIdentity, kekId: string): Buffer {
  const parts = [purpose, identity.tenant, identity.secretId, String(identity.version), kekId, ALG];
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

function keyOf(keyring: Keyring, id: string): Buffer {
  const key = keyring.key(id);
  if (key === undefined) throw new SecretError(`the keyring has no key ${id}`);
  return key;
}
