// The syslog sink as data: parameters, defaults, limits.
import { facilities } from '../../domain/formats/rfc5424.ts';
import type { SinkManifest } from '../../domain/sink/define-sink.ts';
import type { FieldSetting } from './mapping.ts';

export interface SyslogParams {
  readonly format?: 'cef' | 'leef' | 'rfc5424' | 'json';
  readonly profile?: 'strict' | 'seed';
  readonly header?: 'rfc5424' | 'rfc3164' | 'none';
  readonly fields?: Readonly<Record<string, FieldSetting>>;
  readonly vendor?: string;
  readonly product?: string;
  readonly version?: string;
  readonly facility?: keyof typeof facilities;
  readonly hostname?: string;
  readonly app_name?: string;
  readonly sd_id?: string;
  readonly bom?: boolean;
  readonly delimiter?: string;
  readonly max_message_bytes?: number;
  readonly max_event_bytes?: number;
  readonly proof?: 'close' | 'window';
  readonly proof_ms?: number;
  readonly window_bytes?: number;
}

const source = { type: 'string', minLength: 1, maxLength: 256 } as const;
const sources = { oneOf: [source, { type: 'array', minItems: 1, maxItems: 8, items: source }] } as const;
const headerText = { type: 'string', minLength: 1 } as const;

export const manifest: SinkManifest = {
  id: 'syslog',
  title: 'Syslog, CEF and LEEF',
  summary: 'One syslog message per event, as CEF, LEEF, structured data or JSON, over UDP, TCP, TLS or RELP.',
  since: '0.1.0',
  needs: ['syslog'],
  connection: 'syslog',
  // Many small batches: each is kept, with the records that it came from, until its delivery is proved.
  batch: { maxBytes: 262_144, inFlight: 64 },
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      format: {
        enum: ['cef', 'leef', 'rfc5424', 'json'],
        default: 'cef',
        description:
          'What the message is: ArcSight CEF, QRadar LEEF 2.0, structured data of RFC 5424 with the title as text, or the event itself.',
      },
      profile: {
        enum: ['strict', 'seed'],
        default: 'strict',
        description:
          "Fields of CEF: strict keeps to the CEF dictionary, seed prints what the SIEM guide's example prints.",
      },
      header: {
        enum: ['rfc5424', 'rfc3164', 'none'],
        default: 'rfc5424',
        description: 'Syslog header before the message; none sends the bare message.',
      },
      fields: {
        type: 'object',
        maxProperties: 60,
        propertyNames: { minLength: 1, maxLength: 64 },
        additionalProperties: {
          oneOf: [
            { type: 'null' },
            ...sources.oneOf,
            {
              type: 'object',
              additionalProperties: false,
              required: ['from'],
              properties: {
                from: sources,
                label: { type: 'string', pattern: '^[A-Za-z0-9_. -]{1,64}$' },
              },
            },
          ],
        },
        examples: [{ cs4: { label: 'asset_id', from: 'data.asset.id' }, request: null }],
        description:
          'Changes to the profile: a key with a path into the event, several of which the first with a value counts, or null to leave the key out.',
      },
      vendor: { ...headerText, maxLength: 63, default: 'S4E', description: 'Device vendor of CEF and LEEF.' },
      product: {
        ...headerText,
        maxLength: 63,
        default: 'Platform',
        description: 'Device product of CEF and LEEF.',
      },
      version: {
        ...headerText,
        maxLength: 31,
        default: '2.4.0',
        description: 'Device version of CEF and LEEF.',
      },
      facility: { enum: Object.keys(facilities), default: 'local0', description: 'Syslog facility.' },
      hostname: {
        type: 'string',
        pattern: '^[!-~]{1,255}$',
        description: 'HOSTNAME of the header; the name of the machine without it.',
      },
      app_name: {
        type: 'string',
        pattern: '^[!-~]{1,48}$',
        default: 's4e',
        description: 'APP-NAME of the header; the tag of RFC 3164.',
      },
      sd_id: {
        type: 'string',
        pattern: '^[!#-<>-\\\\^-~]{1,32}$',
        default: 'soc@32473',
        description:
          'SD-ID of format rfc5424: name@<your enterprise number>. 32473 is the number for examples; names without @ are reserved by the RFC.',
      },
      bom: {
        type: 'boolean',
        default: false,
        description:
          'Byte order mark before the text of format rfc5424 (MSG-UTF8). Many receivers show it as rubbish.',
      },
      delimiter: {
        type: 'string',
        minLength: 1,
        maxLength: 6,
        default: 'x09',
        description: 'Between LEEF attributes: one character, or its code as x09.',
      },
      max_message_bytes: {
        type: 'integer',
        minimum: 480,
        maximum: 131_072,
        description:
          'Longer messages are cut: longest texts first, then whole fields; marked and counted. 8192 without it, 1400 over UDP.',
      },
      max_event_bytes: {
        type: 'integer',
        minimum: 1024,
        maximum: 5_000_000,
        default: 1_048_576,
        description:
          'Larger events go to the dead letters. Format json is bound by max_message_bytes as well.',
      },
      proof: {
        enum: ['close', 'window'],
        default: 'close',
        description:
          'When TCP and TLS count as delivered: close ends the connection now and then and waits for the receiver to end its side too; window only trusts age and later bytes, for receivers that do not close.',
      },
      proof_ms: {
        type: 'integer',
        minimum: 100,
        maximum: 600_000,
        default: 10_000,
        description: 'Longest time until what was sent is proved, or with window believed, ms.',
      },
      window_bytes: {
        type: 'integer',
        minimum: 65_536,
        maximum: 33_554_432,
        default: 4_194_304,
        description: 'Bytes sent and not yet proved at which a connection is ended, or with window believed.',
      },
    },
  },
  examples: [
    { title: 'CEF for ArcSight or QRadar', params: {} },
    { title: "CEF as in the SIEM guide's example", params: { profile: 'seed' } },
    {
      title: 'Structured data under an enterprise number of your own',
      params: { format: 'rfc5424', sd_id: 'soc@12345' },
    },
    {
      title: 'LEEF with an extra attribute',
      params: { format: 'leef', fields: { scanId: 'data.scan_id' } },
    },
  ],
};
