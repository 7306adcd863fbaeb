// The statuses of an incident and which may follow which: a directed graph.
//
// Invariant: every incident keeps the graph that it was made with, so that an edited action does not strand the incidents it has made.
import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';

export interface Workflow {
  readonly name: string;
  /** Status of a new incident. */
  readonly initial: string;
  /** Every status with those that may follow it. */
  readonly statuses: Readonly<Record<string, readonly string[]>>;
  /** Statuses in which an incident counts as closed. */
  readonly closed: readonly string[];
}

export const defaultWorkflow: Workflow = {
  name: 'default',
  initial: 'New',
  statuses: {
    New: ['In Progress', 'Rejected'],
    'In Progress': ['Verification', 'Rejected'],
    Verification: ['In Progress', 'Closed'],
    Rejected: ['In Progress'],
    Closed: ['In Progress'],
  },
  closed: ['Rejected', 'Closed'],
};

const status = { type: 'string', minLength: 1, maxLength: 64 };

export const workflowParam: JsonSchema = {
  description:
    'default (New, In Progress, Verification, Rejected, Closed), or a graph: every status with those that may follow it.',
  default: 'default',
  oneOf: [
    { const: 'default' },
    {
      type: 'object',
      additionalProperties: false,
      required: ['name', 'initial', 'statuses', 'closed'],
      properties: {
        name: status,
        initial: status,
        statuses: {
          type: 'object',
          minProperties: 1,
          maxProperties: 50,
          propertyNames: { maxLength: 64, minLength: 1 },
          additionalProperties: { type: 'array', maxItems: 50, uniqueItems: true, items: status },
        },
        closed: { type: 'array', maxItems: 50, uniqueItems: true, items: status },
      },
    },
  ],
};

/** Names without a status, and statuses that no incident can reach. `path` is the JSON Pointer of the workflow. */
export function checkWorkflow({ initial, statuses, closed }: Workflow, path: string): Issue[] {
  const issues: Issue[] = [];
  const known = (name: string, at: string): void => {
    if (!Object.hasOwn(statuses, name)) issues.push({ path: at, message: `${name} is no status` });
  };
  known(initial, `${path}/initial`);
  for (const [name, next] of Object.entries(statuses))
    for (const [index, to] of next.entries()) known(to, `${path}/statuses/${pointer(name)}/${index}`);
  for (const [index, name] of closed.entries()) known(name, `${path}/closed/${index}`);
  if (issues.length > 0) return issues;
  const reached = new Set([initial]);
  for (const name of reached) for (const next of nextOf({ statuses }, name)) reached.add(next);
  return Object.keys(statuses)
    .filter((name) => !reached.has(name))
    .map((name) => ({
      path: `${path}/statuses/${pointer(name)}`,
      message: `cannot be reached from ${initial}`,
    }));
}

/** Statuses that may follow. */
export function nextOf({ statuses }: Pick<Workflow, 'statuses'>, from: string): readonly string[] {
  return Object.hasOwn(statuses, from) ? (statuses[from] ?? []) : [];
}

function pointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
