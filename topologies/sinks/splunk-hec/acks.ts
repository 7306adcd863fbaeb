// Indexer acknowledgement at one indexer: every request gets an id on our channel, and the ids are asked for until they are true.
//
// Invariant: a receipt is true only for an id that the indexer confirmed and that can mean nothing else (ack-ids.ts). Its bytes are
// not kept: false means that the runner reads them from the log again.
// Surprise: Splunk forgets an id once it has said "true" (Vector RFC 2021-10-29-9465, tried on 7.3.2), so an answer that is lost
// looks like an event that is lost; and "false" does not tell slow from lost, so time decides.

import type { AskOrigin, BatchVerdict, Receipts, ReceiverContext } from '../../domain/sink/define-sink.ts';
import type { HttpFailure, HttpRequest, HttpResponse } from '../../ports/http.ts';
import { type AckIds, createAckIds } from './ack-ids.ts';

export interface AckOptions {
  /** Between two questions, ms. */
  readonly pollMs: number;
  /** Without a confirmation for so long an event counts as lost, ms. */
  readonly timeoutMs: number;
  /** Most requests without a confirmation. */
  readonly most: number;
  readonly request: (channel: string, ids: readonly number[]) => HttpRequest;
}

/** Ids in one question; Splunk's limit is its request size, other senders ask for as many. */
const idsAtOnce = 1_000;

interface Channel {
  readonly guid: string;
  readonly ids: AckIds;
}

export function createAcks(ask: AskOrigin, context: ReceiverContext, options: AckOptions): Receipts {
  const { clock, random, signal, onRetry } = context;
  const { pollMs, timeoutMs, most, request } = options;
  let channels = 0;
  let current = openChannel();
  /** Channels that take no more requests and still owe confirmations. */
  let old: Channel[] = [];
  let polling = false;
  let nap = new AbortController();
  let waiters: (() => void)[] = [];

  function openChannel(): Channel {
    channels += 1;
    return { guid: guidOf(random, channels), ids: createAckIds() };
  }

  function change(): void {
    old = [...old, current];
    current = openChannel();
  }

  const waitingFor = (): number => [...old, current].reduce((sum, { ids }) => sum + ids.count, 0);

  function wake(): void {
    const woken = waiters;
    waiters = [];
    for (const resolve of woken) resolve();
  }

  async function pollChannel({ guid, ids }: Channel): Promise<void> {
    const all = ids.waiting();
    for (let from = 0; from < all.length; from += idsAtOnce) {
      const asked = all.slice(from, from + idsAtOnce);
      try {
        const answer = parseAcks(await ask(request(guid, asked)));
        if (typeof answer === 'string') throw new Error(answer);
        ids.confirmed(asked.filter((id) => answer.has(id)));
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        if (!signal.aborted) onRetry({ code: 'hec_ack_poll', detail, events: 0 });
        return;
      }
    }
  }

  async function poll(): Promise<void> {
    if (polling) return;
    polling = true;
    while (waitingFor() > 0 && !signal.aborted) {
      nap = new AbortController();
      await clock.sleep(pollMs, AbortSignal.any([signal, nap.signal])).catch(() => undefined);
      if (signal.aborted) break;
      for (const channel of [...old, current]) if (channel.ids.count > 0) await pollChannel(channel);
      const late = [...old, current].reduce((sum, { ids }) => sum + ids.expire(clock.now() - timeoutMs), 0);
      if (late > 0)
        onRetry({
          code: 'hec_ack_timeout',
          detail: `${late} requests without acknowledgement for ${timeoutMs} ms`,
          events: 0,
        });
      old = old.filter(({ ids }) => ids.count > 0);
      wake();
    }
    polling = false;
  }

  return {
    async begin() {
      while (waitingFor() >= most && !signal.aborted)
        await new Promise<void>((resolve) => waiters.push(resolve));
      if (signal.aborted) return null;
      const channel = current;
      const number = channel.ids.sent();
      const { ids, guid } = channel;
      return {
        headers: [['x-splunk-request-channel', guid]],
        answered(response, verdict) {
          const id = ackIdOf(response);
          const taken =
            verdict.class === 'delivered' ||
            (verdict.class === 'transient' && verdict.accepted > 0) ||
            (verdict.class === 'event-fault' && verdict.prefixStored);
          if (id === null || !taken) {
            ids.ended(number);
            return taken ? withoutProof(verdict) : verdict;
          }
          let settle: (stored: boolean) => void = () => undefined;
          const receipt = new Promise<boolean>((resolve) => {
            settle = resolve;
          });
          const isNew = ids.given(number, id, clock.now(), (stored) => {
            settle(stored);
            wake();
          });
          if (!isNew) {
            if (channel === current) change();
            return {
              class: 'transient',
              code: 'hec_ack_restarted',
              detail: `ack id ${id} came twice: the indexer began to count again, or a balancer has several of them behind one address`,
              afterMs: 0,
              slowDown: false,
              accepted: 0,
            };
          }
          void poll();
          return { ...verdict, receipt };
        },
        failed(failure: HttpFailure) {
          if (!failure.sent) {
            ids.ended(number);
            return;
          }
          ids.unanswered(number);
          if (channel === current) change();
          wake();
        },
      };
    },
    async probe() {
      const answer = parseAcks(await ask(request(guidOf(random, 0), [0])));
      return typeof answer !== 'string';
    },
    hurry: () => nap.abort(),
    close() {
      nap.abort();
      for (const { ids } of [...old, current]) ids.drop();
      wake();
    },
  };
}

// Taken, says the answer, and nothing will ever prove it.
function withoutProof(verdict: BatchVerdict): BatchVerdict {
  if (verdict.class === 'transient') return { ...verdict, accepted: 0 };
  if (verdict.class === 'event-fault') return { ...verdict, prefixStored: false };
  return {
    class: 'sink-fault',
    code: 'hec_no_ack',
    detail: 'the answer holds no ackId: indexer acknowledgement is off for this token',
  };
}

function parsed({ body, truncated }: HttpResponse): Readonly<Record<string, unknown>> | null {
  if (truncated) return null;
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function ackIdOf(response: HttpResponse): number | null {
  const id = parsed(response)?.ackId;
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 ? id : null;
}

/** The ids that are confirmed, or what is wrong with the answer. */
function parseAcks(response: HttpResponse): Set<number> | string {
  const answer = parsed(response);
  const acks = answer?.acks;
  if (response.status !== 200 || typeof acks !== 'object' || acks === null)
    return `HTTP ${response.status}${typeof answer?.code === 'number' ? `, HEC code ${answer.code}` : ''} to a question for acknowledgements`;
  return new Set(
    Object.entries(acks)
      .filter(([, stored]) => stored === true)
      .map(([id]) => Number(id)),
  );
}

/** A channel identifier: unlike that of any other process, and of any other channel of this one. */
function guidOf(random: () => number, number: number): string {
  const digits = (count: number): string =>
    Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join('');
  return `${digits(8)}-${digits(4)}-4${digits(3)}-8${digits(3)}-${number.toString(16).padStart(12, '0')}`;
}
