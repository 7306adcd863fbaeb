// Wraps one event in the HEC envelope by copying bytes: {"time":…,"source":…,"sourcetype":…,"index":…,"host":…,"event":<event>}
//
// Invariant: what comes from the event is pasted only where checkObject has proved it: the event itself, and the asset name as
// the JSON string that it already is. Everything else was encoded once, when the sink was opened.
// Surprise: the head is kept ready with the time of the last event in it; only the digits that change are written again.
import type { SinkWire } from '../../domain/sink/define-sink.ts';
import { epochMsOf } from '../../domain/sink/event-time.ts';
import type { SplunkHecParams } from './manifest.ts';

/** Longer asset names are left out: they are no host names. */
const maxHostBytes = 255;
const maxTrackBytes = 384;
const eventKey = Buffer.from(',"event":');
const timeKey = '{"time":';
// Seconds from 2001-09-09 to 2286-11-20 have ten digits.
const tenDigits = { least: 1e12, above: 1e13 };

/** The frame function of a sink and the most bytes it adds. */
export function hecFrame(params: SplunkHecParams): Pick<SinkWire, 'frame' | 'overheadBytes'> {
  const fixed = [
    ['source', params.source ?? 's4e'],
    ['sourcetype', params.sourcetype ?? '_json'],
    ...(params.index === undefined ? [] : [['index', params.index] as const]),
    ...(params.host === undefined ? [] : [['host', params.host] as const]),
  ]
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    .join(',');
  const hostFromAsset = params.host === undefined;
  const timeFrom = params.time ?? 'event';
  const track = params.track === true;
  const ownFields = JSON.stringify(params.fields ?? {}).slice(1, -1);
  const fields = track || ownFields !== '';

  const timed = Buffer.from(`${timeKey}0000000000.000,${fixed}`);
  const timedForHost = Buffer.from(`${timed.toString()},"host":`);
  const timedForEvent = Buffer.from(`${timed.toString()},"event":`);
  const timeless = Buffer.from(`{${fixed}`);
  const digitsAt = timeKey.length;
  let shown = Number.NaN;
  let shownSeconds = Number.NaN;

  function showTime(ms: number): void {
    shown = ms;
    const seconds = Math.floor(ms / 1000);
    showDigits(digitsAt + 11, 3, ms - seconds * 1000);
    if (seconds === shownSeconds) return;
    shownSeconds = seconds;
    const high = Math.floor(seconds / 100_000);
    showDigits(digitsAt, 5, high);
    showDigits(digitsAt + 5, 5, seconds - high * 100_000);
  }

  /** In 32-bit integers: a remainder of doubles costs as much as the whole frame. */
  function showDigits(from: number, count: number, value: number): void {
    let rest = value | 0;
    for (let at = from + count - 1; at >= from; at--) {
      const shorter = (rest / 10) | 0;
      timedForHost[at] = timedForEvent[at] = 0x30 + rest - shorter * 10;
      rest = shorter;
    }
  }

  return {
    overheadBytes:
      timedForHost.length + maxHostBytes + (track ? maxTrackBytes : 0) + Buffer.byteLength(ownFields) + 64,
    frame(out, start, source, from, to, marks, batch, index) {
      let at = start;
      let ms = Number.NaN;
      if (timeFrom === 'event' && marks.timeStart >= 0)
        ms = epochMsOf(source, marks.timeStart + 1, marks.timeEnd - 1);
      if (timeFrom !== 'none' && !(ms >= tenDigits.least && ms < tenDigits.above))
        ms = batch.timestamp(index);
      const hasTime = ms >= tenDigits.least && ms < tenDigits.above;
      if (hasTime && ms !== shown) showTime(ms);
      const hostBytes = hostFromAsset && marks.assetStart >= 0 ? marks.assetEnd - marks.assetStart : 0;
      const hasHost = hostBytes > 2 && hostBytes <= maxHostBytes;

      if (hasTime && !fields && !hasHost) {
        timedForEvent.copy(out, at);
        at += timedForEvent.length;
      } else {
        if (!hasTime) {
          timeless.copy(out, at);
          at += timeless.length;
          if (hasHost) at += out.write(',"host":', at, 'latin1');
        } else {
          // The last eight bytes are `,"host":` and stay unused without one.
          timedForHost.copy(out, at);
          at += hasHost ? timedForHost.length : timed.length;
        }
        if (hasHost) for (let k = marks.assetStart; k < marks.assetEnd; k++) out[at++] = source[k]!;
        if (fields) {
          at += out.write(',"fields":{', at, 'latin1');
          at += out.write(ownFields, at);
          if (track) {
            if (ownFields !== '') out[at++] = 0x2c;
            at += out.write(placeOf(batch.topic, batch.partition, batch.offset(index)), at, 'latin1');
          }
          out[at++] = 0x7d;
        }
        for (let k = 0; k < eventKey.length; k++) out[at++] = eventKey[k]!;
      }
      source.copy(out, at, from, to);
      at += to - from;
      out[at++] = 0x7d;
      return at;
    },
  };
}

// Topic names are [a-zA-Z0-9._-], at most 249 characters: nothing to escape.
function placeOf(topic: string, partition: number, offset: number): string {
  return `"kafka_topic":"${topic}","kafka_partition":"${partition}","kafka_offset":"${offset}"`;
}

/**
 * One event as one line. Line feeds and carriage returns of a proved object can only be white space between its tokens, where
 * Splunk's LINE_BREAKER would cut it in two; they become spaces.
 */
export const rawFrame: Pick<SinkWire, 'frame' | 'overheadBytes'> = {
  overheadBytes: 1,
  frame(out, start, source, from, to, marks) {
    let first = from;
    while (source[first] !== 0x7b) first++;
    let end = to;
    while (source[end - 1] !== 0x7d) end--;
    source.copy(out, start, first, end);
    const at = start + end - first;
    if (marks.loose) for (let k = start; k < at; k++) if (out[k] === 0x0a || out[k] === 0x0d) out[k] = 0x20;
    out[at] = 0x0a;
    return at + 1;
  },
};
