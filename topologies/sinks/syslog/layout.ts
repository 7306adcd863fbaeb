// A message compiled from the parameters: the parts of its header and body, and the paths of the event that they need.
//
// Invariant: everything that parameters contribute is escaped here and in bodies.ts; what an event contributes is escaped by the part's `encode`.
import { bsdTag, bsdTimestamp } from '../../domain/formats/rfc3164.ts';
import {
  headerField,
  headerLimits,
  priority,
  syslogSeverities,
  syslogUnrated,
  timestamp,
} from '../../domain/formats/rfc5424.ts';
import { formats } from './bodies.ts';
import type { SyslogParams } from './manifest.ts';
import { computed } from './mapping.ts';
import {
  bySeverity,
  fromPosition,
  fromSeverity,
  fromTime,
  leastCharacters,
  literal,
  type Part,
} from './parts.ts';

export interface Layout {
  readonly parts: readonly Part[];
  /** Paths by slot; slot 0 is the event type, slot 1 the severity. */
  readonly paths: readonly (readonly string[])[];
  /** What a message that was cut says at its end; empty where there is no place for it. */
  readonly cutMark: string;
  /** Bytes of what no cut can take away; a message is never shorter than that allows. */
  readonly leastBytes: number;
}

export const eventSlot = 0;
export const severitySlot = 1;

/** `hostname` is that of this machine. The parameters have passed `check`. */
export function layoutOf(params: SyslogParams, hostname: string): Layout {
  const paths: string[][] = [['event'], ['data', 'severity']];
  const slotOf = (source: string): number => {
    if (source === computed.time) return fromTime;
    if (source === computed.position) return fromPosition;
    if (source === computed.severity) return fromSeverity;
    const found = paths.findIndex((path) => path.join('.') === source);
    return found >= 0 ? found : paths.push(source.split('.')) - 1;
  };
  const format = formats[params.format ?? 'cef'](params, slotOf);
  const parts = [...headerOf(params, hostname), ...format.parts];
  const leastBytes = parts.reduce((sum, part) => sum + leastBytesOf(part), Buffer.byteLength(format.cutMark));
  return { parts, paths, cutMark: format.cutMark, leastBytes };
}

function headerOf(params: SyslogParams, machine: string): Part[] {
  const { header = 'rfc5424', facility = 'local0', app_name = 's4e', format = 'cef' } = params;
  if (header === 'none') return [];
  const pri = bySeverity([...syslogSeverities, syslogUnrated].map((each) => priority(facility, each)));
  const host = headerField(params.hostname ?? machine, headerLimits.hostname);
  if (header === 'rfc3164') {
    // CEF and LEEF follow the host name at once; their standards show no tag.
    const tag = format === 'cef' || format === 'leef' ? '' : `${bsdTag(app_name)}: `;
    return [pri, { type: 'time', write: bsdTimestamp }, literal(` ${host} ${tag}`)];
  }
  return [
    bySeverity(pri.type === 'by-severity' ? pri.texts.map((text) => `${text}1 `) : []),
    { type: 'time', write: timestamp },
    literal(` ${host} ${headerField(app_name, headerLimits.appName)} - `),
    { type: 'event-type', write: (type) => headerField(type, headerLimits.msgId) },
    literal(format === 'rfc5424' ? ' ' : ' - '),
  ];
}

function leastBytesOf(part: Part): number {
  if (part.type === 'literal') return part.bytes.length;
  if (part.type === 'by-severity') return Math.max(...part.bytes.map((bytes) => bytes.length));
  if (part.type === 'time') return 32;
  if (part.type === 'event-type') return headerLimits.msgId;
  // A UTF-16 unit has at most three bytes of UTF-8.
  if (part.type === 'field' && part.otherwise !== undefined)
    return Buffer.byteLength(part.before + part.after) + 3 * leastCharacters;
  return 0;
}
