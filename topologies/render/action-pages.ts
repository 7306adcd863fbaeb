// The pages of the action types, from their manifests: one each, and the table of all.
import { type Action, type ActionManifest, connectionTypes } from '../domain/action/define-action.ts';
import { failuresOf } from '../domain/action/failures.ts';
import { failureCodes } from '../domain/action/outcome.ts';
import { commandTopic } from '../topics.ts';
import { banner, table } from './markdown.ts';
import { paramRows } from './param-rows.ts';

const folder = 'docs/generated/actions';

const modes = {
  all: 'one command with all rows',
  each: 'one command per row',
  first: 'one command with the first row',
} as const;

const incidents = { makes: 'makes one', follows: 'knows that of an earlier entry of the rule' } as const;

/** Path below the repository root -> content. */
export function actionPages(actions: Iterable<Action>): [path: string, content: string][] {
  return [...actions].map((action) => [`${folder}/${action.manifest.id}.md`, pageOf(action)]);
}

/** All types; `at` is where the pages lie, as seen from the page that holds the table. */
export function actionTable(manifests: Iterable<ActionManifest>, at: string): string {
  const rows = [...manifests].map((manifest) => [
    `[\`${manifest.id}\`](${at}${manifest.id}.md)`,
    manifest.summary,
    connectionTypes(manifest.connection).join(', ') || 'none',
    `${manifest.defaultMode}, once: ${manifest.runOnce}`,
  ]);
  return table(['type', 'what it does', 'connection', 'rows of a search'], rows);
}

function pageOf(action: Action): string {
  const { manifest } = action;
  return [
    `${banner}# ${manifest.id}: ${manifest.title}\n\n${manifest.summary}\n`,
    table(['', ''], factsOf(action)),
    `## Parameters\n\n${parametersOf(manifest)}`,
    `## Outputs\n\nWhat later steps of a playbook read as \`{{steps.<id>.outputs.<name>}}\` after \`outputs: {<name>: {$: result.output.<member>}}\`, and history shows. A member may be missing where its meaning says when it is there, or where the receiver gave none.\n\n${outputsOf(manifest)}`,
    `## Failure codes\n\nOf attempts; what can happen to any command is in [errors.md](../errors.md).\n\n${table(
      ['code', 'meaning'],
      failuresOf(manifest).map((code) => [`\`${code}\``, failureCodes[code]]),
    )}`,
    `## Examples\n\n${manifest.examples.map(({ title, params }) => `${title}:\n\n\`\`\`json\n${JSON.stringify(params, null, 2)}\n\`\`\`\n`).join('\n')}`,
    `How it behaves, and why: [README of the type](../../../topologies/actions/${manifest.id}/README.md).\n`,
  ].join('\n');
}

function factsOf({ manifest, needsConnection }: Action): string[][] {
  const connections = connectionTypes(manifest.connection).map((one) => `\`${one}\``);
  const sometimes = needsConnection === undefined ? '' : ', with some parameters only';
  const rows: [string, string | null][] = [
    ['since', manifest.since],
    ['commands', `\`${commandTopic(manifest.id).name}\``],
    ['connection', connections.length === 0 ? 'none' : `${connections.join(' or ')}${sometimes}`],
    ['touches', manifest.needs.filter((port) => port !== 'clock').join(', ')],
    ['writes for others', manifest.asks?.map(({ name }) => `\`${name}\``).join(', ') ?? null],
    ['rows of a search', `\`${manifest.defaultMode}\`: ${modes[manifest.defaultMode]}`],
    ['`run_once: true`', `\`${manifest.runOnce}\`: ${modes[manifest.runOnce]}`],
    ['dry run', 'shows what would be sent, rendered and checked; nothing is opened'],
    [
      'a repeat',
      manifest.idempotency === 'key'
        ? 'carries the id of the command, by which the receiver tells it; an uncertain attempt is repeated'
        : 'acts twice; an uncertain attempt is held',
    ],
    ['effects ledger', manifest.ledger === 'durable' ? 'PostgreSQL' : 'Redis'],
    [
      'rate',
      manifest.lane?.ratePerSecond === undefined
        ? null
        : `${ratePerMinute(manifest.lane.ratePerSecond)} a minute to a destination whose connection sets none`,
    ],
    ['grant', manifest.privileged === true ? `\`action:${manifest.id}\`` : null],
    ['can be broken off', manifest.cancellable === true ? 'yes, by its time limit or by a playbook' : null],
    ['incident', manifest.incident === undefined ? null : incidents[manifest.incident]],
    ['in a playbook', manifest.runContext === 'whole' ? 'its command carries all that the run knows' : null],
  ];
  return rows.flatMap(([name, fact]) => (fact === null ? [] : [[name, fact]]));
}

function ratePerMinute(perSecond: number): string {
  return String(Math.round(perSecond * 60 * 100) / 100);
}

function parametersOf({ params }: ActionManifest): string {
  const rows = paramRows(params);
  if (rows.length === 0) return 'None.\n';
  return table(
    ['parameter', 'type and limits', 'required', 'default', 'meaning'],
    rows.map(({ path, type, required, fallback, meaning }) => [
      `\`${path}\``,
      type,
      required ? 'yes' : '',
      fallback === undefined ? '' : `\`${JSON.stringify(fallback)}\``,
      meaning,
    ]),
  );
}

function outputsOf({ outputs }: ActionManifest): string {
  return table(
    ['member', 'meaning'],
    Object.entries(outputs).map(([name, meaning]) => [`\`${name}\``, meaning]),
  );
}
