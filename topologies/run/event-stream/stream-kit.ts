// For tests of the event stream: a hub over the log in memory, and clients that read what they are sent.

import { decodePosition } from '../../domain/stream/position.ts';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { fakeLog } from '../../ports/fakes/log.ts';
import { fakeMetrics } from '../../ports/fakes/metrics.ts';
import type { Logger } from '../../ports/logger.ts';
import { topics } from '../../topics.ts';
import type { Outlet, StreamClient } from './stream-client.ts';
import {
  type AttachOptions,
  createStreamHub,
  type StreamFrom,
  type StreamHubOptions,
  type StreamLimits,
} from './stream-hub.ts';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

export interface SeenMessage {
  readonly event: string | undefined;
  readonly id: string | undefined;
  readonly data: string;
}

/** A socket that takes everything at once, or nothing while it is stuck. */
export interface TestOutlet extends Outlet {
  stuck: boolean;
  readonly ended: boolean;
  readonly text: string;
  readonly messages: SeenMessage[];
  /** The last position that a client would remember. */
  readonly lastId: string;
  /** The socket takes what waits, or so many bytes of it. */
  take(bytes?: number): void;
}

export function testOutlet(): TestOutlet {
  let text = '';
  let waiting: Buffer[] = [];
  let ended = false;
  const outlet: TestOutlet = {
    stuck: false,
    get ended() {
      return ended;
    },
    get text() {
      return text;
    },
    get messages() {
      return messagesOf(text);
    },
    get lastId() {
      return [...text.matchAll(/^id: (.*)\n\n/gm)].at(-1)?.[1] ?? '';
    },
    get pendingBytes() {
      return waiting.reduce((sum, bytes) => sum + bytes.length, 0);
    },
    write(bytes) {
      if (ended) throw new Error('written after the end');
      waiting.push(bytes);
      if (!outlet.stuck) outlet.take();
    },
    end(bytes) {
      outlet.write(bytes);
      ended = true;
    },
    take(bytes = Number.POSITIVE_INFINITY) {
      const all = Buffer.concat(waiting);
      text += all.subarray(0, bytes).toString();
      waiting = [all.subarray(bytes)];
    },
  };
  return outlet;
}

function messagesOf(text: string): SeenMessage[] {
  return text
    .split('\n\n')
    .filter((block) => /^data:/m.test(block))
    .map((block) => ({
      event: /^event: (.*)$/m.exec(block)?.[1],
      id: /^id: (.*)$/m.exec(block)?.[1],
      data: /^data: (.*)$/m.exec(block)?.[1] ?? '',
    }));
}

export function openTestStream(limits: Partial<StreamLimits> = {}, over: Partial<StreamHubOptions> = {}) {
  const clock = fakeClock();
  const log = fakeLog({ clock, topics: { [topics.findings.name]: 3, [topics.events.name]: 2 } });
  const producer = log.producer();
  const metrics = fakeMetrics();
  const hub = createStreamHub({
    log,
    admin: log.admin(),
    topics: [topics.findings, topics.events],
    clock,
    metrics,
    logger: quiet,
    limits: { checkMs: 1_000, ...limits },
    ...over,
  });
  return {
    clock,
    log,
    metrics,
    hub,
    /** Findings whose ids are the numbers, on the partition number mod 3 or the given one. */
    async publish(numbers: readonly number[], partition?: number): Promise<void> {
      await producer.send(
        numbers.map((n) => ({
          topic: topics.findings.name,
          partition: partition ?? n % 3,
          key: null,
          value: JSON.stringify({
            event: 'finding.new',
            data: { n, severity: n % 2 === 0 ? 'high' : 'low' },
          }),
        })),
      );
    },
    send: producer.send,
    async connect(
      from: StreamFrom | string = { kind: 'now' },
      options: Partial<AttachOptions> & { topics?: readonly string[]; key?: string } = {},
    ): Promise<{ client: StreamClient; outlet: TestOutlet; leave: () => void }> {
      const { topics: asked = ['findings', 'events'], key = 'k', ...rest } = options;
      const place = hub.admit(key);
      if (typeof place === 'string') throw new Error(`refused: ${place}`);
      const attach = await place.prepare({
        topics: asked,
        from: typeof from === 'string' ? { kind: 'position', position: decodePosition(from)! } : from,
      });
      const outlet = (rest.outlet as TestOutlet | undefined) ?? testOutlet();
      const client = attach({ passes: null, warnings: [], allowed: () => true, ...rest, outlet });
      await clock.advance(0);
      return { client, outlet, leave: place.leave };
    },
  };
}

/** The numbers of the findings that came, in their order. */
export function numbersOf(messages: readonly SeenMessage[]): number[] {
  return messages
    .filter(({ event }) => event === 'finding.new')
    .map(({ data }) => (JSON.parse(data) as { data: { n: number } }).data.n);
}

export const noticesOf = (messages: readonly SeenMessage[]): Record<string, unknown>[] =>
  messages
    .filter(({ event }) => event === 'gap' || event === 'lagging' || event === 'closed')
    .map(({ event, data }) => ({ event, ...(JSON.parse(data) as object) }));
