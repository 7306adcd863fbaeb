// What a message is made of, compiled once from the parameters: literal bytes, computed parts, and fields from paths into the event.
//
// Invariant: everything that parameters contribute is escaped here; what an event contributes is escaped by the part's `encode`.
// Surprise: `stop` is the one character that can stand in JSON text without a backslash and still needs care in this place; text
// without it (and without DEL) is copied byte for byte.

import { cefHeader, cefHeaderLimits, cefSeverities, cefUnrated, cefValue } from '../../domain/formats/cef.ts';
import type { CefKind } from '../../domain/formats/cef-keys.ts';
import {
  leefDelimiter,
  leefHeader,
  leefHeaderLimit,
  leefSeverities,
  leefValue,
} from '../../domain/formats/leef.ts';
import { cutText, oneLine } from '../../domain/formats/one-line.ts';
import { bsdTag, bsdTimestamp } from '../../domain/formats/rfc3164.ts';
import {
  byteOrderMark,
  headerField,
  headerLimits,
  paramValue,
  priority,
  syslogSeverities,
  syslogUnrated,
  timestamp,
} from '../../domain/formats/rfc5424.ts';
import type { SyslogParams } from './manifest.ts';
import { computed, type FieldRule, fieldsOf } from './mapping.ts';

/** Text of an event as it stands in one place of a message, at most `max` characters of it. */
export type Encode = (text: string, max: number) => string;

/** Numbers from 0 are slots: indexes into `Layout.paths`. */
export const fromTime = -1;
export const fromPosition = -2;
export const fromSeverity = -3;

export type Part =
  | { readonly type: 'literal'; readonly text: string; readonly bytes: Buffer }
  /** By rank of the severity; the last entry is for events without one. */
  | { readonly type: 'by-severity'; readonly texts: readonly string[]; readonly bytes: readonly Buffer[] }
  /** Of the event, epoch ms. */
  | { readonly type: 'time'; readonly write: (ms: number) => string }
  /** Made of the event type alone. */
  | { readonly type: 'event-type'; readonly write: (type: string) => string }
  | FieldPart
  /** The event itself, white space around its tokens as spaces. */
  | { readonly type: 'whole-event' };

export interface FieldPart {
  readonly type: 'field';
  /** Between this field and the one before it in the same run of fields; nothing is written before the first. */
  readonly separator: string;
  readonly before: string;
  readonly beforeBytes: Buffer;
  readonly after: string;
  readonly afterBytes: Buffer;
  readonly slots: Int32Array;
  readonly kind: CefKind;
  readonly max: number;
  readonly encode: Encode;
  readonly stop: number;
  /** Text without a value: of the event type, unescaped. Without it the field is left out. */
  readonly otherwise?: (type: string) => string;
}

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

const labels: Readonly<Record<string, string>> = { 'finding.new': 'New finding' };

/** What an event type is called: `scan.completed` is `Scan completed`. */
export function labelOf(type: string): string {
  if (Object.hasOwn(labels, type)) return labels[type]!;
  const words = type.replace(/[._]+/g, ' ').trim();
  return words === '' ? 'Event' : words[0]!.toUpperCase() + words.slice(1);
}

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

function literal(text: string): Part {
  return { type: 'literal', text, bytes: Buffer.from(text) };
}

function bySeverity(texts: readonly string[]): Part {
  return { type: 'by-severity', texts, bytes: texts.map((text) => Buffer.from(text)) };
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

interface Format {
  readonly parts: readonly Part[];
  readonly cutMark: string;
}

type SlotOf = (source: string) => number;

function fieldPart(
  rule: Pick<FieldRule, 'from' | 'kind' | 'max'>,
  slotOf: SlotOf,
  place: Pick<FieldPart, 'separator' | 'before' | 'after' | 'encode'> & {
    stop: string;
    otherwise?: FieldPart['otherwise'];
  },
): FieldPart {
  const { stop, otherwise, ...rest } = place;
  return {
    type: 'field',
    ...rest,
    beforeBytes: Buffer.from(place.before),
    afterBytes: Buffer.from(place.after),
    stop: stop === '' ? 0x7f : stop.charCodeAt(0),
    slots: Int32Array.from(rule.from.map(slotOf)),
    kind: rule.kind,
    max: rule.max,
    ...(otherwise === undefined ? {} : { otherwise }),
  };
}

const className = { from: ['event'], kind: 'text', max: cefHeaderLimits.eventClass } as const;
const eventName = {
  from: ['data.vuln_name', 'data.cwe_name'],
  kind: 'text',
  max: cefHeaderLimits.name,
} as const;

const formats: Readonly<
  Record<NonNullable<SyslogParams['format']>, (params: SyslogParams, slotOf: SlotOf) => Format>
> = {
  cef(params, slotOf) {
    const { vendor = 'S4E', product = 'Platform', version = '2.4.0' } = params;
    const header = [
      cefHeader(vendor, cefHeaderLimits.vendor),
      cefHeader(product, cefHeaderLimits.product),
      cefHeader(version, cefHeaderLimits.version),
    ];
    const fields = fieldsOf(params);
    const inHeader = { separator: '', before: '', after: '', encode: cefHeader, stop: '|' };
    return {
      parts: [
        literal(`CEF:0|${header.join('|')}|`),
        fieldPart(className, slotOf, { ...inHeader, otherwise: () => 'event' }),
        literal('|'),
        fieldPart(eventName, slotOf, { ...inHeader, otherwise: labelOf }),
        bySeverity([...cefSeverities, cefUnrated].map((severity) => `|${severity}|`)),
        ...fields.map((rule) =>
          fieldPart(rule, slotOf, {
            separator: ' ',
            before: `${rule.label === undefined ? '' : `${rule.key}Label=${rule.label} `}${rule.key}=`,
            after: '',
            encode: cefValue,
            stop: '=',
          }),
        ),
      ],
      cutMark: fields.some(({ key }) => key === 'cs6') ? '' : ' cs6Label=truncated cs6=true',
    };
  },

  leef(params, slotOf) {
    const { vendor = 'S4E', product = 'Platform', version = '2.4.0', delimiter: setting = 'x09' } = params;
    const delimiter = leefDelimiter(setting) ?? '\t';
    const header = [vendor, product, version].map((text) => leefHeader(text));
    // A visible delimiter is shown as it is, others as their code.
    const shown = /[!-~]/.test(delimiter)
      ? delimiter
      : `x${delimiter.charCodeAt(0).toString(16).padStart(2, '0')}`;
    return {
      parts: [
        literal(`LEEF:2.0|${header.join('|')}|`),
        fieldPart({ ...className, max: leefHeaderLimit }, slotOf, {
          separator: '',
          before: '',
          after: '',
          encode: leefHeader,
          stop: '|',
          otherwise: () => 'event',
        }),
        literal(`|${shown}|`),
        ...fieldsOf(params).map((rule) =>
          fieldPart(rule, slotOf, {
            separator: delimiter,
            before: `${rule.key}=`,
            after: '',
            encode: (text, max) => leefValue(text, max, delimiter),
            stop: delimiter,
          }),
        ),
      ],
      cutMark: `${delimiter}truncated=true`,
    };
  },

  rfc5424(params, slotOf) {
    const { sd_id = 'soc@32473', bom = false } = params;
    return {
      parts: [
        literal(`[${sd_id}`),
        ...fieldsOf(params).map((rule) =>
          fieldPart(rule, slotOf, {
            separator: '',
            before: ` ${rule.key}="`,
            after: '"',
            encode: paramValue,
            stop: ']',
          }),
        ),
        literal(`] ${bom ? byteOrderMark : ''}`),
        fieldPart({ from: ['data.title', 'data.message'], kind: 'text', max: 4000 }, slotOf, {
          separator: '',
          before: '',
          after: '',
          encode: (text, max) => cutText(oneLine(text), max),
          stop: '',
          otherwise: labelOf,
        }),
      ],
      cutMark: ' [truncated]',
    };
  },

  json: () => ({ parts: [{ type: 'whole-event' }], cutMark: '' }),
};

/** A text is not made shorter than this before whole fields go. */
export const leastCharacters = 32;

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

/** Texts of LEEF's `sev` and of other places that want a number, by rank of the severity. */
export const severityNumbers: readonly string[] = leefSeverities.map(String);
