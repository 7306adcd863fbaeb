// A frame of the webhook sink: what goes to the receiver, and before it what the sink has to know about it.
//
// Invariant: every frame holds one event; `unpack` gives views, so the bytes that are signed are the bytes that are sent.
// Layout: length of the payload (4 bytes), length of the label (2 bytes), label, payload. The label is id, topic, partition and offset.
import { createHash } from 'node:crypto';
import type { Origins } from '../../domain/sink/define-sink.ts';
import type { Marks } from '../../domain/sink/splice-check.ts';

export interface Parcel {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly payload: Buffer;
}

const headBytes = 6;
/** Ids that are sent as they are: safe in a header, and without the dot that the signature separates with. */
const plainId = /^[A-Za-z0-9_-]{1,64}$/;
/** Head, id of 64, topic of 249, two numbers and what separates them. */
export const parcelBytes = headBytes + 64 + 249 + 10 + 16 + 3;

/**
 * The same for the same event whenever it is sent: its own id where that fits into a header, a hash of it where it does not; without
 * one a hash of the place of its record and of its time, because a topic that is made again counts from 0.
 */
export function deliveryId(source: Buffer, marks: Marks, batch: Origins, index: number): string {
  if (marks.idStart >= 0 && marks.idEnd - marks.idStart > 2) {
    const own = JSON.parse(source.toString('utf8', marks.idStart, marks.idEnd)) as string;
    return plainId.test(own) ? own : hash(`id/${own}`);
  }
  return hash(`record/${batch.topic}/${batch.partition}/${batch.offset(index)}/${batch.timestamp(index)}`);
}

function hash(text: string): string {
  return createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('hex').slice(0, 32);
}

/** Writes the label at `start` and leaves room for the head; `pay` writes the payload from where it is told. The position after it. */
export function pack(
  out: Buffer,
  start: number,
  id: string,
  batch: Origins,
  index: number,
  pay: (at: number) => number,
): number {
  const label = `${id}\n${batch.topic}\n${batch.partition}\n${batch.offset(index)}`;
  const from = start + headBytes + out.write(label, start + headBytes, 'latin1');
  const end = pay(from);
  out.writeUInt32BE(end - from, start);
  out.writeUInt16BE(from - start - headBytes, start + 4);
  return end;
}

/** All parcels of a body. */
export function unpack(body: Buffer): Parcel[] {
  const parcels: Parcel[] = [];
  for (let at = 0; at < body.length; ) {
    const from = at + headBytes + body.readUInt16BE(at + 4);
    const end = from + body.readUInt32BE(at);
    const [id = '', topic = '', partition, offset] = body
      .toString('latin1', at + headBytes, from)
      .split('\n');
    parcels.push({
      id,
      topic,
      partition: Number(partition),
      offset: Number(offset),
      payload: body.subarray(from, end),
    });
    at = end;
  }
  return parcels;
}
