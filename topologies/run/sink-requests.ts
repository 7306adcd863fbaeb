// Carries out what people ask of a sink: one request to its receiver with a test event, or with a record that is in the log.
//
// Invariant: the same documents, secrets, frames, signatures and judge as the sink itself; no filter, no retry, no offset of the sink
// moves. Every request that is not too old ends in one record on deliveries.v1.
import type { SinkRequest } from '@tocsin/schemas/types.ts';
import type { ConfigTable } from '../domain/config/config-table.ts';
import {
  type BatchVerdict,
  type DeliveryNote,
  SinkConfigError,
  type SinkWire,
} from '../domain/sink/define-sink.ts';
import { createMarks, createSpliceCheck, spliceOk, spliceReasons } from '../domain/sink/splice-check.ts';
import type { BatchHandler, RecordBatch } from '../ports/log.ts';
import { compileSink } from './compile-sink.ts';
import type { SinkResources } from './open-sink.ts';
import { readRecord } from './read-record.ts';
import { serveRequests } from './serve-requests.ts';
import type { LetterBox } from './sink-letters.ts';
import { createSinkNews } from './sink-news.ts';

export interface SinkRequestsOptions extends Omit<SinkResources, 'letters' | 'metrics'> {
  readonly table: () => ConfigTable;
  readonly news: LetterBox;
}

/** Nobody waits for the answer any more. */
const tooOldMs = 300_000;
const configMs = 5_000;

export function createSinkRequests(options: SinkRequestsOptions): BatchHandler & { stop(): void } {
  const { clock } = options;

  async function serve(request: SinkRequest, signal: AbortSignal): Promise<void> {
    const began = clock.now();
    const notes: DeliveryNote[] = [];
    const outcome = await carryOut(request, notes, signal).catch((error: unknown): Refusal => {
      if (!(error instanceof SinkConfigError)) throw error;
      return { code: 'config', detail: error.message };
    });
    const [note] = notes;
    const told = createSinkNews({
      ...options,
      sink: request.sink,
      box: options.news,
      signal,
      by: request.verb,
      request: request.id,
    });
    told.delivery(note ?? noteOf(request, outcome, began, clock.now()));
  }

  async function carryOut(
    request: SinkRequest,
    notes: DeliveryNote[],
    signal: AbortSignal,
  ): Promise<Refusal | BatchVerdict> {
    // What was saved just now may be on its way.
    while (!options.table().sinks.has(request.sink) && clock.now() - request.at < configMs)
      await clock.sleep(100, signal);
    const table = options.table();
    const document = table.sinks.get(request.sink)?.document;
    if (document === undefined) return { code: 'unknown_sink', detail: 'there is no such sink' };
    const connection = table.connections.get(document.connection)?.document;
    const { wire } = await compileSink(document, connection, options.secrets, {
      name: options.hostName,
      onCut: () => undefined,
    });
    const found =
      request.verb === 'test'
        ? { batch: testBatch(request, clock.now()), index: 0 }
        : await readRecord(options.client, request.source, clock);
    if (found === null) return { code: 'gone', detail: 'the log no longer has the record of this event' };
    const body = await bodyOf(wire, found.batch, found.index);
    if (!Buffer.isBuffer(body)) return body;
    const receiver = wire.receiver(options.ports, {
      clock,
      random: options.random,
      signal,
      inFlight: 1,
      onResent: () => undefined,
      onRetry: () => undefined,
      onDelivery: (note) => void notes.push(note),
    });
    try {
      const sent = receiver.send(body, 1);
      // A receiver that proves deliveries now and then is to do so at once.
      receiver.hurry?.();
      return await sent;
    } finally {
      receiver.close?.();
    }
  }

  async function bodyOf(wire: SinkWire, batch: RecordBatch, index: number): Promise<Buffer | Refusal> {
    let source = batch.buffer;
    let [start, end] = [batch.valueStart[index]!, batch.valueEnd[index]!];
    if (start < 0) return { code: 'empty', detail: 'the record has no value' };
    if (source[start] === 0) {
      const decoded = await options.decode(batch.topic, source.subarray(start, end));
      if (!Buffer.isBuffer(decoded)) return { code: decoded.reason, detail: decoded.detail };
      [source, start, end] = [decoded, 0, decoded.length];
    }
    if (end - start > wire.maxEventBytes)
      return { code: 'too_large', detail: 'the event is too large for this sink' };
    const marks = createMarks();
    const checked = createSpliceCheck()(source, start, end, marks);
    if (checked !== spliceOk)
      return { code: spliceReasons[checked]!, detail: 'the value is not one JSON object' };
    const out = Buffer.alloc(end - start + wire.overheadBytes);
    return out.subarray(0, wire.frame(out, 0, source, start, end, marks, batch, index));
  }

  return serveRequests<SinkRequest>(
    { what: 'sink request', document: 'sink-request.json', tooOldMs, serve },
    options,
  );
}

interface Refusal {
  readonly class?: undefined;
  readonly code: string;
  readonly detail: string;
}

// For what never became a request, and for sinks that keep no log of their own.
function noteOf(
  request: SinkRequest,
  outcome: Refusal | BatchVerdict,
  at: number,
  now: number,
): DeliveryNote {
  const source = request.verb === 'test' ? { topic: '', partition: 0, offset: -1 } : request.source;
  return {
    at,
    eventId: request.id,
    source,
    events: outcome.class === undefined ? 0 : 1,
    attempt: 1,
    status:
      outcome.class === 'delivered' ? 'delivered' : outcome.class === 'event-fault' ? 'refused' : 'paused',
    latencyMs: now - at,
    ...('code' in outcome ? { code: outcome.code, detail: outcome.detail } : {}),
  };
}

/** A batch with the event of a test, which is in no log. */
function testBatch(request: Extract<SinkRequest, { verb: 'test' }>, now: number): RecordBatch {
  const buffer = Buffer.from(JSON.stringify(request.event));
  return {
    topic: 'test',
    partition: 0,
    count: 1,
    nextOffset: 0,
    byteLength: buffer.length,
    buffer,
    valueStart: Int32Array.of(0),
    valueEnd: Int32Array.of(buffer.length),
    offset: () => -1,
    timestamp: () => now,
    key: () => null,
    value: () => buffer,
    headers: () => [],
    headerSize: () => ({ count: 0, bytes: 0 }),
  };
}
