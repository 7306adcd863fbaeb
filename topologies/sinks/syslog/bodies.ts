// The bodies of messages: CEF, LEEF, structured data and JSON as parts, for layout.ts.
import { cefHeader, cefHeaderLimits, cefSeverities, cefUnrated, cefValue } from '../../domain/formats/cef.ts';
import { leefDelimiter, leefHeader, leefHeaderLimit, leefValue } from '../../domain/formats/leef.ts';
import { cutText, oneLine } from '../../domain/formats/one-line.ts';
import { byteOrderMark, paramValue } from '../../domain/formats/rfc5424.ts';
import type { SyslogParams } from './manifest.ts';
import { type FieldRule, fieldsOf } from './mapping.ts';
import { bySeverity, type FieldPart, literal, type Part } from './parts.ts';

const labels: Readonly<Record<string, string>> = { 'finding.new': 'New finding' };

/** What an event type is called: `scan.completed` is `Scan completed`. */
export function labelOf(type: string): string {
  if (Object.hasOwn(labels, type)) return labels[type]!;
  const words = type.replace(/[._]+/g, ' ').trim();
  return words === '' ? 'Event' : words[0]!.toUpperCase() + words.slice(1);
}

export interface Format {
  readonly parts: readonly Part[];
  readonly cutMark: string;
}

export type SlotOf = (source: string) => number;

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

export const formats: Readonly<
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
