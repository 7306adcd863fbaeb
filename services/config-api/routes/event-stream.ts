// Events as they come, as Server-Sent Events: `GET /api/events/stream`.
//
// Invariant: everything that can be refused is refused before the first byte, with the error body of all routes; after it the stream
// itself says why it ends.
// Surprise: the answer is written past the framework, so what its hooks add is added here.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { can, type Scope } from '@tocsin/adapters/postgres/access.ts';
import { StoreUnavailable } from '@tocsin/adapters/postgres/errors.ts';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import type { Outlet } from '@tocsin/topologies/run/event-stream/stream-client.ts';
import type { FastifyInstance } from 'fastify';
import { keyText } from '../auth.ts';
import type { Dependencies } from '../dependencies.ts';
import { ApiError, unavailable } from '../errors.ts';
import { readStreamQuery, type StreamQuery, streamQuery } from '../stream-query.ts';

const access: Scope = 'read:events';
/** How long a client may take for the last bytes, ms. */
const farewellMs = 5_000;
/** How long all of them have when the service stops, ms. */
const shutdownMs = 2_000;

export function eventStreamRoutes(
  app: FastifyInstance,
  { events, keyring }: Pick<Dependencies, 'events' | 'keyring'>,
): void {
  const open = new Set<ServerResponse>();
  // Before connections are closed: streams end with their position.
  app.addHook('preClose', async () => {
    await events.stop();
    const closed = Promise.all([...open].map((raw) => once(raw, 'close').catch(() => undefined)));
    await Promise.race([closed, sleep(shutdownMs, undefined, { ref: false })]);
  });
  app.get<{ Querystring: StreamQuery }>(
    '/api/events/stream',
    {
      config: { access },
      schema: {
        summary: 'Events as they come (text/event-stream)',
        description: 'Every message has an `id`; send the last one as `Last-Event-ID` to go on there.',
        tags: ['events'],
        querystring: { type: 'object', additionalProperties: false, properties: streamQuery },
      },
    },
    async (request, reply) => {
      const key = keyText(request) ?? '';
      const lastEventId = request.headers['last-event-id'];
      const wish = readStreamQuery(request.query, lastEventId?.toString());
      const place = events.admit(request.actor.via ?? request.actor.id);
      if (typeof place === 'string') throw refusal(place);
      const { raw } = reply;
      open.add(raw);
      raw.on('close', () => {
        open.delete(raw);
        place.leave();
      });
      // A write that meets a connection which has just ended; `close` follows.
      raw.on('error', () => place.leave());
      try {
        const attach = await place.prepare(wish.request);
        if (raw.destroyed) return reply.hijack();
        reply.hijack();
        raw.writeHead(200, {
          'content-type': 'text/event-stream',
          'cache-control': 'no-cache, no-transform',
          'x-accel-buffering': 'no',
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
        });
        const client = attach({
          outlet: outletOf(raw),
          passes: wish.passes,
          warnings: wish.warnings,
          allowed: () => isAllowed(keyring, key),
        });
        raw.on('drain', () => client.wake());
        return reply;
      } catch (error) {
        place.leave();
        // A topic that is not there yet is no defect here either: it comes with its first event.
        throw error instanceof LogError ? unavailable() : error;
      }
    },
  );
}

/** Null when it cannot be told. */
function isAllowed(keyring: Pick<Dependencies['keyring'], 'check'>, text: string): boolean | null {
  try {
    const key = keyring.check(text);
    return key !== null && can(key.scopes, access);
  } catch (error) {
    if (error instanceof StoreUnavailable) return null;
    throw error;
  }
}

function outletOf(raw: ServerResponse): Outlet {
  return {
    get pendingBytes() {
      return raw.writableLength;
    },
    write: (bytes) => void raw.write(bytes),
    end(bytes) {
      raw.end(bytes);
      const cut = setTimeout(() => raw.destroy(), farewellMs);
      raw.on('close', () => clearTimeout(cut));
    },
  };
}

function refusal(why: 'key' | 'all' | 'stopping'): ApiError {
  if (why === 'key')
    return new ApiError(429, 'too_many_streams', 'this key has as many streams as it may have', {
      headers: { 'retry-after': '15' },
    });
  const message = why === 'all' ? 'as many streams are open as may be' : 'the service is about to stop';
  return new ApiError(503, 'too_many_streams', message, { headers: { 'retry-after': '15' } });
}
