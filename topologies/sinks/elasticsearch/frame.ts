// Writes one event as two lines of a _bulk body by copying bytes: {"create":{"_index":…,"_id":…}} and the event itself, with
// @timestamp put in front of its members.
//
// Invariant: a document is one line: line feeds can only be white space between the tokens of a proved object, and become spaces.
// Everything else of the event is as it came.
// Surprise: @timestamp is the event's own text where the servers read it, so that digits below a millisecond stay.
import type { SinkWire } from '../../domain/sink/define-sink.ts';
import { epochMsOf } from '../../domain/sink/event-time.ts';
import { createRecordId, idOf, maxIdBytes, recordIdBytes, writeNumber } from './document-id.ts';
import { fieldText, type IndexPattern, indexNameOf, parseField } from './index-name.ts';
import { defaultMissing, type ElasticsearchParams } from './manifest.ts';

const stampKey = Buffer.from('{"@timestamp":');
const idKey = Buffer.from('"_id":');
const hourMs = 3_600_000;
/** Ready heads that are kept: one for each index in use. */
const maxHeads = 1_000;
const isoBytes = 40;

/** The frame function of a sink and the most bytes it adds. `pathIndex`: the URL names the index already. */
export function bulkFrame(
  params: ElasticsearchParams,
  pattern: IndexPattern,
  pathIndex: boolean,
): Pick<SinkWire, 'frame' | 'overheadBytes'> {
  const action = params.mode === 'update' ? 'index' : 'create';
  const missing = params.missing_field ?? defaultMissing;
  const idField = params.id_field === undefined ? null : parseField(params.id_field);
  const stamps = params.timestamp !== false;
  const versionOf = params.mode === 'update' ? (params.version ?? 'offset') : null;
  const versionKey = Buffer.from(
    `,"version_type":"${versionOf === 'time' ? 'external_gte' : 'external'}","version":`,
  );
  const writeRecordId = createRecordId();
  const { hasDate, hasFields } = pattern;
  const parses = hasFields || idField !== null;

  const heads = new Map<string, Buffer>();
  function headOf(key: string, name: () => string): Buffer {
    let head = heads.get(key);
    if (head !== undefined) return head;
    if (heads.size >= maxHeads) heads.clear();
    head = Buffer.from(`{"${action}":{${pathIndex ? '' : `"_index":${JSON.stringify(name())},`}`);
    heads.set(key, head);
    return head;
  }
  let shownHour = Number.NaN;
  let shownHead = headOf('', () => '');

  return {
    overheadBytes:
      320 + Math.max(maxIdBytes + 2, recordIdBytes) + versionKey.length + stampKey.length + isoBytes + 64,
    frame(out, start, source, from, to, marks, batch, index) {
      const recordMs = batch.timestamp(index);
      const hasTime = marks.timeStart >= 0;
      const timeStart = hasTime ? marks.timeStart : marks.stampStart;
      const timeEnd = hasTime ? marks.timeEnd : marks.stampEnd;
      const ownMs = epochMsOf(source, timeStart + 1, timeEnd - 1);
      const hasOwn = !Number.isNaN(ownMs);
      const ms = hasOwn ? ownMs : Math.max(0, recordMs);
      const event: unknown = parses ? JSON.parse(source.toString('utf8', from, to)) : null;

      let head = shownHead;
      if (hasFields) {
        const name = indexNameOf(pattern, ms, event, missing);
        head = headOf(name, () => name);
      } else if (hasDate) {
        const hour = Math.floor(ms / hourMs);
        if (hour !== shownHour) {
          shownHour = hour;
          shownHead = headOf(String(hour), () => indexNameOf(pattern, ms, null, missing));
          head = shownHead;
        }
      }
      head.copy(out, start);
      let at = start + head.length;

      for (let k = 0; k < idKey.length; k++) out[at++] = idKey[k]!;
      const fieldId = idField === null ? null : fieldText(event, idField);
      if (fieldId !== null) at += out.write(idOf(fieldId), at);
      else if (marks.idStart >= 0 && marks.idEnd - marks.idStart > 2) {
        const end = isPlainId(source, marks.idStart, marks.idEnd) ? marks.idEnd : -1;
        if (end < 0)
          at += out.write(
            idOf(JSON.parse(source.toString('utf8', marks.idStart, marks.idEnd)) as string),
            at,
          );
        else for (let k = marks.idStart; k < end; k++) out[at++] = source[k]!;
      } else {
        out[at++] = 0x22;
        at = writeRecordId(out, at, batch.topic, batch.partition, batch.offset(index), recordMs);
        out[at++] = 0x22;
      }
      if (versionOf !== null) {
        versionKey.copy(out, at);
        at = writeNumber(
          out,
          at + versionKey.length,
          versionOf === 'offset' ? batch.offset(index) : Math.max(0, recordMs),
        );
      }
      out[at++] = 0x7d;
      out[at++] = 0x7d;
      out[at++] = 0x0a;

      let first = from;
      while (source[first] !== 0x7b) first++;
      let end = to;
      while (source[end - 1] !== 0x7d) end--;
      if (stamps && marks.stampStart < 0) {
        for (let k = 0; k < stampKey.length; k++) out[at++] = stampKey[k]!;
        if (hasOwn && isServerTime(source, timeStart, timeEnd)) {
          for (let k = timeStart; k < timeEnd; k++) out[at++] = source[k]!;
        } else at += out.write(JSON.stringify(new Date(ms)), at, 'latin1');
        first++;
        let next = first;
        while (isSpace(source[next]!)) next++;
        if (source[next] !== 0x7d) out[at++] = 0x2c;
      }
      source.copy(out, at, first, end);
      const line = at;
      at += end - first;
      if (marks.loose) for (let k = line; k < at; k++) if (out[k] === 0x0a) out[k] = 0x20;
      out[at++] = 0x0a;
      return at;
    },
  };
}

/** No escapes and not too long: the JSON string is its own text. `from` and `to` include the quotes. */
function isPlainId(bytes: Buffer, from: number, to: number): boolean {
  if (to - from > maxIdBytes + 2) return false;
  for (let k = from + 1; k < to - 1; k++) if (bytes[k] === 0x5c) return false;
  return true;
}

/** A capital T between date and time, and a capital Z if any: what strict_date_optional_time reads. RFC 3339 allows more. */
function isServerTime(bytes: Buffer, from: number, to: number): boolean {
  return bytes[from + 11] === 0x54 && bytes[to - 2] !== 0x7a;
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
}
