// Tests and redeliveries: the sinks carry them out, with their secrets and from their place in the network, and the answer comes back by
// the delivery log. This service never sees a secret of a receiver.
import { randomBytes } from 'node:crypto';
import type { DeliveryRow } from '@tocsin/adapters/postgres/delivery-store.ts';
import type { SinkRequest } from '@tocsin/schemas/types.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { awaitAnswer, createCallLimit } from './call-limit.ts';
import type { Dependencies } from './dependencies.ts';

type Call =
  | { readonly verb: 'test'; readonly event: Record<string, unknown> }
  | { readonly verb: 'redeliver'; readonly source: { topic: string; partition: number; offset: number } };

export interface SinkCalls {
  /** Asks and waits. 200 with what became of it, 202 when that is not known in time; 429 after five in a minute for one sink. */
  ask(request: FastifyRequest, reply: FastifyReply, sink: string, call: Call): Promise<unknown>;
}

export function createSinkCalls(
  { store, producer, deliveries }: Pick<Dependencies, 'store' | 'producer' | 'deliveries'>,
  waitMs: number,
): SinkCalls {
  const take = createCallLimit();

  return {
    async ask(request, reply, sink, call) {
      const now = Date.now();
      take(sink, now);
      const id = randomBytes(16).toString('hex');
      const value: SinkRequest = { v: 1, id, sink, at: now, by: request.actor.id, ...call };
      // Before it happens: nothing is sent without a row.
      await store.write(request.actor, (writer) =>
        writer.audit({ verb: call.verb, object: `sink/${sink}`, detail: { request: id } }),
      );
      await producer.send([{ topic: topics.sinkRequests.name, key: sink, value: JSON.stringify(value) }]);
      const found = await awaitAnswer(() => deliveries.ofRequest(id), now + waitMs);
      if (found !== null)
        return { data: { delivered: found.status === 'delivered', ...shownDelivery(found, true) } };
      reply.code(202);
      return { data: { delivered: null, request: id, detail: 'not answered yet; see the delivery log' } };
    },
  };
}

/** One line of the delivery log. The answer of the receiver is for those who own the destination. */
export function shownDelivery(row: DeliveryRow, withResponse: boolean): Record<string, unknown> {
  const {
    seq: _,
    request: __,
    sink: ___,
    response,
    at,
    ...rest
  } = row as DeliveryRow & { request?: unknown };
  const shown = { ...rest, at: at.toISOString(), ...(withResponse ? { response } : {}) };
  return Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== null));
}

export const testEvents = ['webhook.test', 'finding.new', 'scan.completed', 'action.completed'] as const;

/** An event that every receiver can tell from a real one: test: true, and a marker to search for. */
export function testEvent(
  type: (typeof testEvents)[number],
  sink: string,
  now: number,
): Record<string, unknown> {
  const marker = `tocsin-test-${randomBytes(6).toString('hex')}`;
  const asset = { id: 'a-test', name: 'test.example.com', type: 'domain' };
  const data = {
    'webhook.test': { severity: 'info', title: `Test of ${sink}, ${marker}` },
    'finding.new': {
      finding_id: marker,
      title: `Test finding, ${marker}`,
      severity: 'info',
      cvss: 0,
      asset,
      scan_id: 'sc-test',
      description: 'A test of the way to this receiver. Nothing was found.',
      remediation: 'None.',
    },
    'scan.completed': { scan_id: marker, finding_count: 0, duration: 0, asset },
    'action.completed': { action_id: 'test', execution_id: marker, status: 'succeeded', duration: 0 },
  }[type];
  return {
    id: marker,
    event: type,
    timestamp: new Date(now).toISOString(),
    test: true,
    data: { ...data, marker, sink },
  };
}
