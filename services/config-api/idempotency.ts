// Idempotency-Key: the same key and request give the same answer, the same key and another request is refused.
//
// Invariant: key, effect and answer commit together, under the lock of the store; two requests at once make one effect.
import { createHmac } from 'node:crypto';
import type { ConfigStore, ConfigWriter } from '@tocsin/adapters/postgres/config-store.ts';
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

/** What the header says, and the keyed hash of the request it stands for; null without the header. */
export function idempotencyOf(
  request: FastifyRequest,
  secret: Buffer,
): { readonly key: string; readonly hash: Buffer } | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key))
    throw badRequest([{ path: '', message: 'Idempotency-Key must be 1 to 255 visible ASCII characters' }]);
  const hash = createHmac('sha256', secret)
    .update(`${request.method}\n${request.url}\n`)
    .update(request.rawBody ?? '')
    .digest();
  return { key, hash };
}

async function knownAnswer(
  writer: ConfigWriter,
  request: FastifyRequest,
  { key, hash }: { readonly key: string; readonly hash: Buffer },
): Promise<Answer | null> {
  const known = await findAnswer(writer.transaction, request.actor.id, key);
  if (known === null) return null;
  if (!known.requestHash.equals(hash))
    throw new ApiError(409, 'idempotency_mismatch', 'this Idempotency-Key was used for another request');
  return { status: known.status, body: known.body, replayed: true };
}

/** The stored answer, or that of `work`. `secret` keys the hash of the request, which may hold credentials. */
export async function once(
  writer: ConfigWriter,
  request: FastifyRequest,
  secret: Buffer,
  work: () => Promise<{ readonly status: number; readonly body: unknown }>,
): Promise<Answer> {
  const given = idempotencyOf(request, secret);
  const known = given === null ? null : await knownAnswer(writer, request, given);
  if (known !== null) return known;
  const { status, body } = await work();
  const text = JSON.stringify(body);
  if (given !== null)
    await saveAnswer(writer.transaction, request.actor.id, given.key, {
      requestHash: given.hash,
      status,
      body: text,
    });
  return { status, body: text, replayed: false };
}

/**
 * The same for an effect outside the database: the answer is kept after `work`, so what `work` does may happen twice when the
 * process dies in between or two requests come at once. It must do the same thing then.
 */
export async function onceOutside(
  store: Pick<ConfigStore, 'write'>,
  request: FastifyRequest,
  secret: Buffer,
  work: () => Promise<{ readonly status: number; readonly body: unknown }>,
): Promise<Answer> {
  const given = idempotencyOf(request, secret);
  if (given !== null) {
    const known = await store.write(request.actor, (writer) => knownAnswer(writer, request, given));
    if (known !== null) return known;
  }
  const { status, body } = await work();
  const text = JSON.stringify(body);
  if (given !== null)
    await store.write(request.actor, (writer) =>
      saveAnswer(writer.transaction, request.actor.id, given.key, {
        requestHash: given.hash,
        status,
        body: text,
      }),
    );
  return { status, body: text, replayed: false };
}
