// Sends bodies of parcels, one request to a body, and tells of every request.
//
// Surprise: the time of the signature is that of the attempt, so the same event is signed anew each time; its id stays.
import type {
  BatchVerdict,
  DeliveryNote,
  ReceiverContext,
  SinkReceiver,
} from '../../domain/sink/define-sink.ts';
import { judgeFailure } from '../../domain/sink/http-wire.ts';
import { HttpFailure, type HttpPort, type HttpResponse } from '../../ports/http.ts';
import { createHealth, type HealthLimits } from './health.ts';
import { type Parcel, unpack } from './parcel.ts';
import type { WebhookRequests } from './request.ts';
import type { Shape } from './shapes.ts';

const shownCharacters = 1024;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
const controls = /[\u0000-\u0008\u000b-\u001f\u007f]/g;
/** Events whose attempts are counted; those in flight are far fewer. */
const mostCounted = 10_000;

export interface WebhookReceiverOptions {
  readonly shape: Shape;
  readonly requests: WebhookRequests;
  readonly limits: HealthLimits;
}

export function webhookReceiver(
  { shape, requests, limits }: WebhookReceiverOptions,
  http: HttpPort,
  context: ReceiverContext,
): SinkReceiver {
  const { clock, signal, onResent } = context;
  const health = createHealth(limits);
  const tries = new Map<string, { count: number; readonly at: number }>();

  function begin(id: string, now: number): { readonly count: number; readonly at: number } {
    const found = tries.get(id);
    if (found !== undefined) {
      found.count += 1;
      return found;
    }
    if (tries.size >= mostCounted) tries.clear();
    const first = { count: 1, at: now };
    tries.set(id, first);
    return first;
  }

  async function exchange(parcels: readonly Parcel[], now: number): Promise<HttpResponse | HttpFailure> {
    try {
      return await http.send({ ...requests.request(parcels, now), signal });
    } catch (error) {
      if (error instanceof HttpFailure) return error;
      throw error;
    }
  }

  return {
    async send(body, events) {
      const closed = health.closed();
      if (closed !== null) return closed;
      const parcels = unpack(body);
      const first = parcels[0]!;
      const began = clock.now();
      const attempt = begin(first.id, began);
      const answer = await exchange(parcels, began);
      const now = clock.now();
      const isAnswer = !(answer instanceof HttpFailure);
      if (!isAnswer && answer.sent) onResent(events);
      const judged = isAnswer ? shape.judge(answer, events, now) : judgeFailure(answer);
      const verdict = health.judge(judged, {
        attempt: attempt.count,
        firstAt: attempt.at,
        now,
        answered: isAnswer,
        singly: shape.singly,
      });
      if (verdict.class === 'delivered' || verdict.class === 'event-fault') tries.delete(first.id);
      if (signal.aborted) return verdict;
      context.onDelivery?.({
        at: began,
        eventId: first.id,
        source: { topic: first.topic, partition: first.partition, offset: first.offset },
        events,
        attempt: attempt.count,
        status: statusOf(verdict),
        ...('code' in verdict ? { code: verdict.code, detail: verdict.detail } : {}),
        latencyMs: Math.max(0, now - began),
        ...(isAnswer ? { statusCode: answer.status, response: shown(answer, requests.hidden) } : {}),
        ...(shape.singly ? { payload: shape.request(first.payload).body } : {}),
      });
      return verdict;
    },
    // An address for events answers no question: the next event asks it.
    probe: async () => health.closed() === null,
  };
}

function statusOf(verdict: BatchVerdict): DeliveryNote['status'] {
  if (verdict.class === 'delivered') return 'delivered';
  if (verdict.class === 'sink-fault') return 'paused';
  if (verdict.class === 'event-fault' || verdict.class === 'too-large') return 'refused';
  return 'retrying';
}

/** The beginning of an answer as one text: no control characters, and nothing of ours that it repeats. */
export function shown({ body }: HttpResponse, hidden: readonly string[]): string {
  let text = body.toString('utf8', 0, 4 * shownCharacters);
  for (const secret of hidden) text = text.replaceAll(secret, '[secret]');
  return text.replace(controls, ' ').slice(0, shownCharacters).toWellFormed();
}
