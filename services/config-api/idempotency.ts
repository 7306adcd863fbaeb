// Idempotency-Key: the same key and request give the same answer, the same key and another request is refused.
//
// Invariant: key, effect and answer commit together, under the lock of the store; two requests at once make one effect.
import { createHmac } from 'node:crypto';
import type { ConfigWriter } from '@tocsin/adapters/postgres/config-store.ts';
import { findAnswer, saveAnswer } from '@tocsin/adapters/postgres/idempotency-store.ts';
import type { FastifyRequest } from 'fastify';
import { ApiError, badRequest } from './errors.ts';

export interface Answer {
  readonly status: number;
  /** JSON text. */
  readonly body: string;
  readonly replayed: boolean;
}

export const idempotencyHeader = {
  type: 'object',
  properties: {
    'idempotency-key': {
      type: 'string',
      description: 'The same key and body within 24 hours give the same answer.',
    },
  },
} as const;

/** The stored answer, or that of `work`. `secret` keys the hash of the request, which may hold credentials. */
export async function once(
  writer: ConfigWriter,
  request: FastifyRequest,
  secret: Buffer,
  work: () => Promise<{ readonly status: number; readonly body: unknown }>,
): Promise<Answer> {
  const key = request.headers['idempotency-key'];
  if (key === undefined) {
    const { status, body } = await work();
    return { status, body: JSON.stringify(body), replayed: false };
  }
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key))
    throw badRequest([{ path: '', message: 'Idempotency-Key must be 1 to 255 visible ASCII characters' }]);
  const hash = createHmac('sha256', secret)
    .update(`${request.method}\n${request.url}\n`)
    .update(request.rawBody ?? '')
    .digest();
  const known = await findAnswer(writer.transaction, request.actor.id, key);
  if (known !== null) {
    if (!known.requestHash.equals(hash))
      throw new ApiError(409, 'idempotency_mismatch', 'this Idempotency-Key was used for another request');
    return { status: known.status, body: known.body, replayed: true };
  }
  const { status, body } = await work();
  const text = JSON.stringify(body);
  await saveAnswer(writer.transaction, request.actor.id, key, { requestHash: hash, status, body: text });
  return { status, body: text, replayed: false };
}
