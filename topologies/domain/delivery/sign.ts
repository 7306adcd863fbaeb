// Signatures over the exact bytes that are sent: Standard Webhooks 1.0.0, and a plain hash of the body on request.
//
// The id is the command id and stays the same over retries; the timestamp is the time of the attempt. While a secret
// is being replaced, both secrets sign and the receiver accepts either.
import { createHmac } from 'node:crypto';

/** Key bytes of a secret: base64 after `whsec_`, otherwise the text itself; null when shorter than 16 bytes. */
export function keyOf(secret: string): Buffer | null {
  if (!secret.startsWith('whsec_')) {
    const raw = Buffer.from(secret);
    return raw.length >= 16 ? raw : null;
  }
  const text = secret.slice('whsec_'.length);
  const key = Buffer.from(text, 'base64');
  // Buffer skips what is not base64; a key must survive the way back.
  const same = key.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
  return same && key.length >= 16 ? key : null;
}

/** `webhook-signature` over `{id}.{timestamp}.{body}`, one entry per key, separated by spaces. */
export function standardSignature(
  keys: readonly Buffer[],
  id: string,
  timestamp: number,
  body: Buffer,
): string {
  return keys
    .map(
      (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`,
    )
    .join(' ');
}

/** `sha256=<hex>` over the body alone. */
export function bodySignature(key: Buffer, body: Buffer): string {
  return `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
}
