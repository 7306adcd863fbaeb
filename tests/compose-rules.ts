// The part of the Compose Specification that docker-compose.yml uses, as JSON Schema: every key outside it is refused.
// Source: github.com/compose-spec/compose-spec, 05-services.md, 07-volumes.md, 11-extension.md, 12-interpolation.md.
import type { JsonSchema } from '@tocsin/schemas/codecs/validate.ts';

const text = { type: 'string' } as const;
const strings = { type: 'array', items: text } as const;
/** `1m30s`, units us, ms, s, m, h (11-extension.md, "Specifying durations"). */
const duration = { type: 'string', pattern: '^([0-9]+(us|ms|s|m|h))+$' } as const;

const closed = (properties: Record<string, unknown>, required: string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});

const healthcheck = {
  oneOf: [
    closed(
      {
        test: { type: 'array', items: text, minItems: 2 },
        interval: duration,
        timeout: duration,
        start_period: duration,
        retries: { type: 'integer', minimum: 1 },
      },
      ['test'],
    ),
    closed({ disable: { const: true } }, ['disable']),
  ],
};

const dependency = closed(
  { condition: { enum: ['service_started', 'service_healthy', 'service_completed_successfully'] } },
  ['condition'],
);

const service = closed({
  image: text,
  build: closed({ context: text, dockerfile: text }, ['context']),
  command: strings,
  restart: { enum: ['no', 'always', 'on-failure', 'unless-stopped'] },
  init: { type: 'boolean' },
  read_only: { type: 'boolean' },
  tmpfs: strings,
  cap_drop: strings,
  security_opt: strings,
  stop_grace_period: duration,
  // Numbers and booleans are allowed by the specification; strings only keep YAML's guesses out.
  environment: {
    type: 'object',
    propertyNames: { pattern: '^[A-Z][A-Z0-9_]*$' },
    additionalProperties: text,
  },
  volumes: { type: 'array', items: { type: 'string', pattern: '^[a-z][a-z0-9_-]*:/[^:]+$' } },
  ports: { type: 'array', items: { type: 'string', pattern: '^127\\.0\\.0\\.1:[0-9]+:[0-9]+$' } },
  healthcheck,
  depends_on: { type: 'object', additionalProperties: dependency },
});

export const composeRules: JsonSchema = {
  ...closed(
    {
      name: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]*$' },
      services: {
        type: 'object',
        propertyNames: { pattern: '^[a-zA-Z0-9._-]+$' },
        additionalProperties: service,
      },
      volumes: { type: 'object', additionalProperties: { type: 'null' } },
    },
    ['services'],
  ),
  patternProperties: { '^x-': true },
};
