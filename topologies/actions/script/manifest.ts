// What the script action is: one run of one script on a host, which gets the results on its standard input.
import type { ActionManifest } from '../../domain/action/define-action.ts';

export const manifest: ActionManifest = {
  id: 'script',
  title: 'Script',
  summary:
    'Runs a shell or Python script on a host, over the agent there or over SSH, once for each command.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: {
      script: {
        type: 'string',
        pattern: '^[a-z0-9][a-z0-9._-]{0,63}$',
        description: 'Name of a script in the catalogue of the host. Either this or `command`.',
      },
      command: {
        type: 'string',
        minLength: 1,
        maxLength: 8192,
        description:
          'The command to run: a script of the catalogue by its path, its interpreter before it where it has one, and arguments after it. Words are split as a shell splits them, then tokens are filled in; nothing is expanded. With `shell` any shell text, without tokens.',
      },
      shell: {
        type: 'boolean',
        default: false,
        description: '`command` is a text for /bin/sh. The host has to allow it.',
      },
      arguments: {
        type: 'array',
        maxItems: 256,
        items: { type: 'string', maxLength: 4096 },
        description:
          'Arguments of the script; templates, each is one argument whatever its value is. With `shell` they are "$1", "$2" and so on.',
      },
      environment: {
        type: 'object',
        maxProperties: 50,
        propertyNames: { pattern: '^[A-Z_][A-Z0-9_]{0,63}$' },
        additionalProperties: { type: 'string', maxLength: 8192 },
        description:
          'Variables by name; templates. The catalogue says which a script may be given; with `shell` their names begin with TOCSIN_.',
      },
      stdin: {
        enum: ['rows', 'event', 'none'],
        default: 'rows',
        description:
          'What the script reads: its results as lines of JSON (for an event its `data`), the whole event as one line, or nothing.',
      },
      fields: {
        type: 'array',
        minItems: 1,
        maxItems: 200,
        uniqueItems: true,
        items: { type: 'string', minLength: 1, maxLength: 256 },
        description: 'Fields of the results that the script reads; all of them without it.',
      },
      time_limit: {
        type: 'integer',
        minimum: 1,
        maximum: 86_400,
        description:
          'Seconds after which the script is stopped: TERM to its process group, KILL 10 s later. Never more than its catalogue says, which is also the default.',
      },
    },
  },
  examples: [
    {
      title: 'Block an address, one run for each result',
      params: {
        script: 'block-address',
        arguments: ['--address={{source.ip}}', '--reason', '{{rule.name}}'],
        stdin: 'none',
        time_limit: 60,
      },
    },
    {
      title: 'A Python script by its command line, with all results as lines of JSON',
      params: {
        command: 'python3 /app/smart-monitor/utils/scripts/test.py --index logs-* --limit 100',
        fields: ['host', 'source.ip'],
      },
    },
    {
      title: 'A shell text on a host that allows it; values arrive as $1 and in the environment',
      params: {
        command: 'logger -t tocsin -- "$1: $TOCSIN_TITLE"',
        shell: true,
        arguments: ['{{rule.name}}'],
        environment: { TOCSIN_TITLE: '{{data.title}}' },
        stdin: 'none',
      },
    },
  ],
  outputs: {
    exit_code: 'Exit code of the script.',
    stdout: 'What it wrote, cut at the limit.',
    stdout_bytes: 'Bytes that it wrote.',
    stdout_sha256: 'SHA-256 of all of it, in hex.',
    truncated: 'Whether stdout was cut.',
    stderr: 'The same of its errors.',
    stderr_bytes: 'Bytes of its errors.',
    stderr_sha256: 'SHA-256 of all errors, in hex.',
    stderr_truncated: 'Whether stderr was cut.',
    started_at: 'When it was begun.',
    duration_ms: 'How long it ran.',
  },
  needs: ['scripts'],
  connection: 'script-host',
  runOnce: 'all',
  defaultMode: 'each',
  // The host gets the command id and begins no run twice; what it cannot tell is held, see judge.ts.
  idempotency: 'key',
  privileged: true,
  cancellable: true,
  ledger: 'durable',
};
