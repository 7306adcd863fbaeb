// The commands of ./tocsin, one line each; a command's file is loaded only when it runs.
// Surprise: each file exports `run(args)`, which answers the exit code.

export type Run = (args: string[]) => Promise<number>;

export type Command = { usage: string; summary: string; load(): Promise<Run> };

export const commands: Readonly<Record<string, Command>> = {
  demo: {
    usage: 'demo',
    summary: 'start everything, send example findings through it, show what happened, stop',
    load: async () => (await import('./demo.ts')).run,
  },
  up: {
    usage: 'up',
    summary: 'start Kafka, Redis, PostgreSQL and every service; Ctrl-C stops them',
    load: async () => (await import('./up.ts')).run,
  },
  test: {
    usage: 'test',
    summary: 'lint, type check, unit tests and tests against real servers',
    load: async () => (await import('./test.ts')).run,
  },
  bench: {
    usage: 'bench [name...]',
    summary: 'run a benchmark and print its result as JSON; without a name, all of them',
    load: async () => (await import('./bench.ts')).run,
  },
  rules: {
    usage: 'rules <command>',
    summary: 'match, lint, explain, test, backtest and import rules; `rules help` shows how',
    load: async () => (await import('./rules.ts')).run,
  },
  playbook: {
    usage: 'playbook <command>',
    summary: 'play a playbook in memory, import from and export to CACAO 2.0; `playbook help` shows how',
    load: async () => (await import('./playbook.ts')).run,
  },
  sink: {
    usage: 'sink setup elasticsearch',
    summary: 'write the index template and the dashboard; `sink help` shows how',
    load: async () => (await import('./sink.ts')).run,
  },
  'dead-letters': {
    usage: 'dead-letters <command>',
    summary:
      'list, show, count, send again and purge what could not be handled; `dead-letters help` shows how',
    load: async () => (await import('./dead-letters.ts')).run,
  },
  agent: {
    usage: 'agent --config FILE',
    summary: 'run scripts on this host for the script action, from the catalogue in FILE',
    load: async () => (await import('./agent.ts')).run,
  },
  topology: {
    usage: 'topology [--check]',
    summary: 'write the picture, the topic list and the lag alerts into docs/generated',
    load: async () => (await import('./topology.ts')).run,
  },
  help: { usage: 'help', summary: 'show this', load: async () => (await import('./help.ts')).run },
  version: {
    usage: 'version',
    summary: 'show the version',
    load: async () => (await import('./version.ts')).run,
  },
};
