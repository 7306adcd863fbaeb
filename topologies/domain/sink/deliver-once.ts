// Sends a few events through a sink once: for whoever has a handful of events and its own retries, as an action has.
//
// Invariant: each event is delivered, refused, or among those that `stopped` speaks of; nothing is tried again on its own. What is
// delivered has been told before anything else is sent.
// Surprise: a receiver that tries again by itself (syslog over a connection) is closed as soon as it wants to.
import type {
  BatchVerdict,
  Origins,
  ReceiverContext,
  SinkFrames,
  SinkPorts,
  SinkReceiver,
  SinkWire,
} from './define-sink.ts';
import { checkObject, createMarks, spliceOk, spliceReasons } from './splice-check.ts';

/** An event that the receiver, or the format, does not take. */
export interface Refused {
  /** Position among the events, from 0. */
  readonly index: number;
  /** too-large: by its size; refused: by the receiver; unreadable: it is no JSON object that may be forwarded. */
  readonly why: 'too-large' | 'refused' | 'unreadable';
  readonly detail: string;
}

/** Why a delivery ended before its end. */
export interface Stopped {
  readonly class: 'transient' | 'sink-fault' | 'aborted';
  readonly code: string;
  readonly detail: string;
}

export interface Delivery {
  readonly delivered: number;
  readonly refused: readonly Refused[];
  /** null: what is not refused is delivered. */
  readonly stopped: Stopped | null;
}

export interface Frames {
  readonly frames: readonly { readonly index: number; readonly bytes: Buffer }[];
  readonly refused: readonly Refused[];
}

export interface DeliveryContext extends Pick<ReceiverContext, 'clock' | 'signal'> {
  /** Hears which events are delivered, when others follow and when the delivery stops; it must not reject. */
  readonly onDelivered: (indexes: readonly number[]) => Promise<void>;
}

/** Bytes of one request or body. */
const bodyMaxBytes = 1_048_576;

/** Frames of the events, and those that get none. `origins` says where event `index` came from. */
export function framesOf(wire: SinkFrames, events: readonly Buffer[], origins: Origins): Frames {
  const frames: { index: number; bytes: Buffer }[] = [];
  const refused: Refused[] = [];
  const marks = createMarks();
  const longest = Math.max(0, ...events.map(({ length }) => Math.min(length, wire.maxEventBytes)));
  const out = Buffer.allocUnsafe(longest + wire.overheadBytes);
  events.forEach((event, index) => {
    if (event.length > wire.maxEventBytes) {
      const detail = `${event.length} bytes, more than ${wire.maxEventBytes}`;
      refused.push({ index, why: 'too-large', detail });
      return;
    }
    const reason = checkObject(event, 0, event.length, marks);
    if (reason !== spliceOk) {
      refused.push({ index, why: 'unreadable', detail: spliceReasons[reason] ?? 'json_syntax' });
      return;
    }
    const end = wire.frame(out, 0, event, 0, event.length, marks, origins, index);
    frames.push({ index, bytes: Buffer.from(out.subarray(0, end)) });
  });
  return { frames, refused };
}

/** Delivers the frames. The signal is that of an attempt and ends the delivery. Rejects for defects only. */
export async function deliverOnce(
  wire: SinkWire,
  { frames, refused: unframed }: Frames,
  ports: Partial<SinkPorts>,
  { clock, signal, onDelivered }: DeliveryContext,
): Promise<Delivery> {
  const refused = [...unframed];
  let delivered = 0;
  let untold: number[] = [];
  const deliver = (part: Body): void => {
    delivered += part.length;
    untold = [...untold, ...part.map(({ index }) => index)];
  };
  const tell = async (): Promise<void> => {
    if (untold.length > 0) await onDelivered(untold);
    untold = [];
  };
  const stop = async (stopped: Stopped): Promise<Delivery> => {
    await tell();
    return { delivered, refused, stopped };
  };
  let lost: Stopped | null = null;
  const receiver = wire.receiver(ports, {
    clock,
    signal,
    // Nobody waits between attempts here.
    random: () => 0,
    inFlight: 2,
    onResent: () => undefined,
    onRetry({ code, detail }) {
      lost ??= { class: 'transient', code, detail };
      receiver.close?.();
    },
  });
  const close = (): void => receiver.close?.();
  signal.addEventListener('abort', close, { once: true });
  try {
    const waiting = bodiesOf(frames);
    for (let body = waiting.shift(); body !== undefined; body = waiting.shift()) {
      await tell();
      const verdict = await sendBody(receiver, body);
      const at = (index: number): number => body?.[index]?.index ?? -1;
      if (verdict.class === 'delivered') deliver(body);
      else if (verdict.class === 'too-large' || (verdict.class === 'event-fault' && verdict.index === null)) {
        const why = verdict.class === 'too-large' ? 'too-large' : 'refused';
        if (body.length === 1) refused.push({ index: at(0), why, detail: verdict.detail });
        else waiting.unshift(...halvesOf(body));
      } else if (verdict.class === 'event-fault') {
        const index = verdict.index ?? 0;
        refused.push({ index: at(index), why: 'refused', detail: verdict.detail });
        const before = body.slice(0, index);
        if (verdict.prefixStored) deliver(before);
        const rest = [...(verdict.prefixStored ? [] : before), ...body.slice(index + 1)];
        if (rest.length > 0) waiting.unshift(rest);
      } else if (verdict.class === 'per-event') {
        const wrong = verdict.events.filter((event) => event.class === 'event-fault');
        for (const { index, detail } of wrong) refused.push({ index: at(index), why: 'refused', detail });
        const others = new Set(verdict.events.map(({ index }) => index));
        deliver(body.filter((_, index) => !others.has(index)));
        const first = verdict.events.find((event) => event.class !== 'event-fault');
        if (first !== undefined) return await stop(stoppedBy(first));
      } else {
        if (verdict.class === 'transient') deliver(body.slice(0, verdict.accepted));
        return await stop(lost ?? stoppedBy(verdict));
      }
    }
    return { delivered, refused: refused.sort((a, b) => a.index - b.index), stopped: null };
  } finally {
    signal.removeEventListener('abort', close);
    close();
  }
}

type Body = Frames['frames'];

async function sendBody(receiver: SinkReceiver, body: Body): Promise<BatchVerdict> {
  const sending = receiver.send(Buffer.concat(body.map(({ bytes }) => bytes)), body.length);
  receiver.hurry?.();
  return sending;
}

function bodiesOf(frames: Body): Body[] {
  const bodies: Body[] = [];
  let body: { index: number; bytes: Buffer }[] = [];
  let size = 0;
  for (const frame of frames) {
    if (body.length > 0 && size + frame.bytes.length > bodyMaxBytes) {
      bodies.push(body);
      body = [];
      size = 0;
    }
    body.push(frame);
    size += frame.bytes.length;
  }
  if (body.length > 0) bodies.push(body);
  return bodies;
}

function halvesOf(body: Body): [Body, Body] {
  const middle = body.length >>> 1;
  return [body.slice(0, middle), body.slice(middle)];
}

function stoppedBy(verdict: {
  readonly class: 'transient' | 'sink-fault' | 'event-fault';
  readonly code: string;
  readonly detail: string;
}): Stopped {
  const { code, detail } = verdict;
  if (code === 'aborted') return { class: 'aborted', code, detail };
  return { class: verdict.class === 'sink-fault' ? 'sink-fault' : 'transient', code, detail };
}
