// The file of `./tocsin sink run`: one sink, its connection, and where the events are.
//
// Invariant: a problem names its field as a JSON Pointer; secrets stand in the file as {env: NAME} or {file: PATH} only.
import { type LogSettings, LogSettingsError, parseLogSettings } from '@tocsin/adapters/log/settings.ts';
import { checkDocument, compileCheck, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection, SecretRef, SinkConfig } from '@tocsin/schemas/types.ts';
import type { SecretsPort } from '@tocsin/topologies/ports/secrets.ts';

export interface SinkFile {
  readonly sink: SinkConfig;
  readonly connection: Connection;
  readonly kafka: KafkaPart;
  readonly topics: readonly string[];
  readonly group: string;
  readonly dead_letters: { readonly topic: string } | { readonly file: string };
  readonly report_s: number;
}

export interface KafkaPart {
  readonly brokers: readonly string[];
  readonly client?: string;
  readonly sasl?: { readonly mechanism: string; readonly username: string; readonly password: SecretRef };
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: SecretRef;
    readonly servername?: string;
  };
  /** Static membership: a process that was killed is back at once, without the session timeout. */
  readonly instance_id?: string;
  readonly session_timeout_ms?: number;
  /** What to do at an offset that the log no longer has; `stop` without it. */
  readonly offset_out_of_range?: 'stop' | 'earliest';
}

const topic = { type: 'string', pattern: '^[a-zA-Z0-9._-]{1,249}$' };
const text = { type: 'string', minLength: 1 };
const secret = {
  anyOf: ['env', 'file'].map((name) => ({
    type: 'object',
    additionalProperties: false,
    required: [name],
    properties: { [name]: text },
  })),
};
const part = (required: readonly string[], properties: object) => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
});

const checkShape = compileCheck(
  part(['sink', 'connection', 'kafka', 'topics', 'dead_letters'], {
    sink: { type: 'object' },
    connection: { type: 'object' },
    kafka: part(['brokers'], {
      brokers: { type: 'array', minItems: 1, items: text },
      client: { enum: ['platformatic', 'kafkajs'] },
      sasl: part(['mechanism', 'username', 'password'], {
        mechanism: { enum: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] },
        username: text,
        password: secret,
      }),
      tls: part([], { ca: text, cert: text, key: secret, servername: text }),
      instance_id: text,
      session_timeout_ms: { type: 'integer', minimum: 1000, maximum: 300_000 },
      offset_out_of_range: { enum: ['stop', 'earliest'] },
    }),
    topics: { type: 'array', minItems: 1, items: topic },
    group: text,
    dead_letters: {
      anyOf: [part(['topic'], { topic }), part(['file'], { file: text })],
    },
    report_s: { type: 'integer', minimum: 1, maximum: 3600 },
  }),
);

/** The file's content, or what is wrong with it. */
export function readSinkFile(value: unknown): SinkFile | readonly Issue[] {
  const shape = checkShape(value);
  if (shape.length > 0) return shape;
  const given = value as Record<'sink' | 'connection', object> & Omit<SinkFile, 'sink' | 'connection'>;
  const connection = { kind: 'connection', id: 'receiver', ...given.connection };
  const sink = { kind: 'sink', connection: connection.id, params: {}, ...given.sink };
  const below = (name: string, issues: readonly Issue[]): Issue[] =>
    issues.map(({ path, message }) => ({ path: `/${name}${path}`, message }));
  const issues = [
    ...below('sink', checkDocument('sink.json', sink)),
    ...below('connection', checkDocument('connection.json', connection)),
    ...('topics' in sink ? [{ path: '/sink/topics', message: 'is given by /topics' }] : []),
  ];
  if (issues.length > 0) return issues;
  const document = sink as SinkConfig;
  return {
    ...given,
    sink: document,
    connection: connection as Connection,
    group: given.group ?? `tocsin.sink.${document.id}`,
    report_s: given.report_s ?? 10,
  };
}

/** Rejects with SecretError, or LogSettingsError whose text names a field of the file. */
export async function kafkaSettings(kafka: KafkaPart, secrets: SecretsPort): Promise<LogSettings> {
  const reveal = async (ref: SecretRef | undefined): Promise<string | undefined> =>
    ref === undefined ? undefined : (await secrets.resolve(ref)).reveal();
  const { brokers, client, sasl, tls } = kafka;
  try {
    return parseLogSettings(
      {
        KAFKA_BROKERS: brokers.join(','),
        KAFKA_CLIENT: client,
        KAFKA_SASL_MECHANISM: sasl?.mechanism,
        KAFKA_SASL_USERNAME: sasl?.username,
        KAFKA_SASL_PASSWORD: await reveal(sasl?.password),
        KAFKA_TLS: tls === undefined ? undefined : 'true',
        KAFKA_TLS_CA: tls?.ca,
        KAFKA_TLS_CERT: tls?.cert,
        KAFKA_TLS_KEY: await reveal(tls?.key),
        KAFKA_TLS_SERVERNAME: tls?.servername,
        KAFKA_INSTANCE_ID: kafka.instance_id,
        KAFKA_SESSION_TIMEOUT_MS: kafka.session_timeout_ms?.toString(),
        KAFKA_OFFSET_OUT_OF_RANGE: kafka.offset_out_of_range,
      },
      'tocsin-sink',
    );
  } catch (error) {
    if (!(error instanceof LogSettingsError)) throw error;
    const field = error.variable
      .slice('KAFKA_'.length)
      .toLowerCase()
      .replace(/^(sasl|tls)_/, '$1/');
    throw new LogSettingsError(`/kafka/${field}`, error.message.slice(error.variable.length + 2));
  }
}
