// The commands of a step that does something: an HTTP request for a webhook, words for people for everything else.
//
// Surprise: CACAO has no command for mail, tickets, scans or waits, and a made-up one would stop other executors; words let a person do
// it there, while the extension restores the step here.
import type { InlineAction, PlaybookStep } from '@tocsin/schemas/types.ts';
import type { CacaoCommand } from './document.ts';
import { toReferences } from './names.ts';

export interface Commands {
  readonly commands: readonly CacaoCommand[];
  /** Who carries them out. */
  readonly agent: { readonly type: 'http-api' | 'group' | 'individual'; readonly name: string };
  readonly out_args?: readonly string[];
}

/** Characters of the words of one command. */
const maxWords = 4000;

/** Variable that says whether an approval passed. */
export function approvedVariable(id: string): string {
  return `__approved_${id}__`;
}

export function commandsOf(step: PlaybookStep, use: (path: string) => string): Commands {
  if (typeof step.action === 'object' && step.action.type === 'webhook')
    return webhook(step, step.action, use);
  const words = toReferences(wordsOf(step), use);
  const text = words.length <= maxWords ? words : `${words.slice(0, maxWords - 1).toWellFormed()}…`;
  const commands = [{ type: 'manual', command: text }];
  if (step.approve === undefined) return { commands, agent: { type: 'group', name: 'operators' } };
  const { anyOf } = step.approve.by;
  const [first = ''] = anyOf;
  const single = anyOf.length === 1 && first.startsWith('user:');
  const name = anyOf.map((one) => one.slice(one.indexOf(':') + 1)).join(', ');
  return {
    commands,
    agent: { type: single ? 'individual' : 'group', name },
    out_args: [approvedVariable(step.id)],
  };
}

function wordsOf({ action, with: params = {}, approve, waitFor, set, end }: PlaybookStep): string {
  if (approve !== undefined)
    return approve.message === undefined ? approve.title : `${approve.title}\n\n${approve.message}`;
  if (waitFor !== undefined) {
    const events = typeof waitFor.event === 'string' ? waitFor.event : waitFor.event.join(' or ');
    return `Wait for ${events} about ${waitFor.correlate}`;
  }
  if (set !== undefined) return `Set ${JSON.stringify(set)}`;
  if (end !== undefined)
    return `End the playbook as ${end.status}${end.reason === undefined ? '' : `: ${end.reason}`}`;
  if (typeof action === 'object') {
    const over = action.connection === undefined ? '' : ` over ${action.connection}`;
    return `Carry out ${action.type}${over}: ${JSON.stringify({ ...action.params, ...params })}`;
  }
  return `Carry out the action ${action}: ${JSON.stringify(params)}`;
}

interface Pair {
  readonly name: string;
  readonly value: string;
}

function webhook(
  step: PlaybookStep,
  { connection, params }: InlineAction,
  use: (path: string) => string,
): Commands {
  const merged: Record<string, unknown> = { ...params, ...step.with };
  const { method = 'POST', path = '/', body, content_type } = merged;
  const query = pairs(merged['params'])
    .map(({ name, value }) => `${encodeURIComponent(name)}=${value}`)
    .join('&');
  const headers: Record<string, string[]> = {};
  const add = (name: string, value: string): void => {
    headers[name] = [...(headers[name] ?? []), toReferences(value, use)];
  };
  for (const { name, value } of pairs(merged['headers'])) add(name, value);
  if (typeof content_type === 'string') add('Content-Type', content_type);
  const target = `${String(path)}${query === '' ? '' : `?${query}`}`;
  const content = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  return {
    commands: [
      {
        type: 'http-api',
        command: toReferences(`${String(method)} ${target} HTTP/1.1`, use),
        ...(Object.keys(headers).length === 0 ? {} : { headers }),
        ...(content === undefined ? {} : { content: toReferences(content, use) }),
      },
    ],
    agent: { type: 'http-api', name: connection ?? 'webhook' },
  };
}

function pairs(value: unknown): Pair[] {
  return Array.isArray(value) ? (value as Pair[]) : [];
}
