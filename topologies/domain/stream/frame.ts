// Server-Sent Events as text (WHATWG HTML, 9.2 Server-sent events): events of the log, and what the stream says of itself.
//
// Invariant: whatever an event holds, it is one message and its data is the event: bytes go out as they are, and line breaks, which
// in JSON stand between tokens only, become further `data` lines. An event cannot pass for a message of the stream itself.
// Surprise: names of messages of the stream have no dot and event types that are named here have one; others are plain messages.

const lf = 0x0a;
const cr = 0x0d;
const dataField = Buffer.from('data: ');
const newline = Buffer.from('\n');

/** `family.name`; whatever else a type may hold would need escapes that the format does not have. */
const namedType = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/;
const longestType = 128;

/** The lines of one event without its id, so that all clients share them; `idLine` ends the message. */
export function eventLines(type: string, json: Buffer): Buffer {
  const named = type.length <= longestType && namedType.test(type);
  const parts: Buffer[] = named ? [Buffer.from(`event: ${type}\n`)] : [];
  let start = 0;
  for (let at = 0; at <= json.length; at += 1) {
    const byte = json[at];
    if (at < json.length && byte !== lf && byte !== cr) continue;
    parts.push(dataField, json.subarray(start, at), newline);
    if (byte === cr && json[at + 1] === lf) at += 1;
    start = at + 1;
  }
  return Buffer.concat(parts);
}

/** The position after the message, and its end. */
export function idLine(position: string): string {
  return `id: ${position}\n\n`;
}

/** What the stream says of itself. `lagging` and `closed` are the last message of a connection. */
export type Notice =
  | { readonly name: 'gap'; readonly data: Gap }
  | { readonly name: 'lagging'; readonly data: { readonly reason: 'stalled' } }
  | { readonly name: 'closed'; readonly data: { readonly reason: ClosedReason } };

export type ClosedReason = 'shutdown' | 'key' | 'log';

/** The offsets [from, to) that the client asked for and will not get. */
export interface Gap {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** `retention`: deleted. `reset`: the log ends before `from`, because it was made anew; reading goes on at `to`. */
  readonly reason: 'retention' | 'reset';
}

export function noticeMessage({ name, data }: Notice, position: string): string {
  return `event: ${name}\ndata: ${JSON.stringify({ ...data, position })}\n${idLine(position)}`;
}

/** How a connection begins: how long to wait before the next one, and the position that it stands at. */
export function openingMessage(retryMs: number, position: string, warnings: readonly string[]): string {
  const comments = warnings.map((warning) => `: ${warning.replace(/[\r\n]+/g, ' ')}\n`);
  return `retry: ${retryMs}\n${comments.join('')}${idLine(position)}`;
}

/** A comment, and an id without data: clients remember the position and dispatch nothing, as the standard has it. */
export function heartbeatMessage(position: string): string {
  return `: heartbeat\n${idLine(position)}`;
}
