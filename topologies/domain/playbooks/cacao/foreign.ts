// Steps of other producers: what their commands are here.
//
// Invariant: a command that is not understood becomes a gate for people, never an action, and says so in a warning. Credentials and
// addresses are not taken over; a connection of the name has to be made by somebody who may.
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { isMap } from '../../rules/import/imported.ts';
import type { Agent, CacaoCommand } from './document.ts';

export interface ForeignContext {
  readonly agent: Agent | undefined;
  /** A text with its variables as tags. */
  template(text: string): string;
  warn(message: string): void;
}

const maxTitle = 1024;
const maxMessage = 8192;
const methods: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
/** Headers that carry credentials, or that the client sets. */
const left: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'host',
  'content-length',
  'connection',
  'transfer-encoding',
]);

/** One command as what a step is: a webhook or a gate. */
export function foreignCommand(
  command: CacaoCommand,
  name: string,
  context: ForeignContext,
): Partial<PlaybookStep> {
  if (command.type === 'http-api') {
    const request = httpRequest(command, context);
    if (request !== null) return request;
    context.warn('the HTTP request cannot be read: it waits for a person instead');
  } else if (command.type !== 'manual')
    context.warn(`commands of type ${command.type} are not carried out: the step waits for a person instead`);
  return manual(command, name, context);
}

function manual(
  command: CacaoCommand,
  name: string,
  { agent, template, warn }: ForeignContext,
): Partial<PlaybookStep> {
  const words = wordsOf(command) ?? textOf(command['description']) ?? name;
  const label = command.type === 'manual' ? '' : `${command.type}: `;
  const text = template(`${label}${words}`);
  const title = text === '' ? name : text;
  const long = title.length > maxTitle || title.includes('\n');
  if (text.length > maxMessage) warn(`the command has more than ${maxMessage} characters and is cut`);
  return {
    approve: {
      title: long ? template(`${label}${name}`).slice(0, maxTitle) : title,
      ...(long ? { message: text.slice(0, maxMessage).toWellFormed() } : {}),
      by: { anyOf: [approverOf(agent, warn)] },
    },
  };
}

function approverOf(agent: Agent | undefined, warn: (message: string) => void): string {
  const name = typeof agent?.name === 'string' ? agent.name.trim().slice(0, 128) : '';
  if (name !== '' && agent?.type === 'individual') return `user:${name}`;
  if (name !== '' && agent?.type === 'group') return `role:${name}`;
  warn('no group or person is its agent: role:operators decides');
  return 'role:operators';
}

function wordsOf({ command, command_b64, content_b64 }: CacaoCommand): string | undefined {
  if (typeof command === 'string') return command;
  return decoded(command_b64) ?? decoded(content_b64);
}

function decoded(value: unknown): string | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value)) return undefined;
  const bytes = Buffer.from(value, 'base64');
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Section 5: `GET /api/x?id=1 HTTP/1.1`, headers and content. */
function httpRequest(
  command: CacaoCommand,
  { agent, template, warn }: ForeignContext,
): Partial<PlaybookStep> | null {
  const line = /^\s*([A-Z]+)\s+(\S+)(?:\s+HTTP\/[\d.]+)?\s*$/.exec(textOf(command['command']) ?? '');
  const [, method = '', target = ''] = line ?? [];
  if (!methods.has(method)) return null;
  const path = /^https?:\/\/[^/?#]*(.*)$/i.exec(target)?.[1] ?? target;
  const [plain = '', query] = path.split('?', 2);
  const content = textOf(command['content']) ?? decoded(command['content_b64']);
  if (content === undefined && command['content_b64'] !== undefined) return null;
  const headers = headersOf(command['headers'], template, warn);
  const connection = connectionOf(agent);
  warn(`it needs a connection ${connection} to ${addressOf(agent)}`);
  return {
    action: {
      type: 'webhook',
      connection,
      params: {
        method,
        path: template(plain.startsWith('/') ? plain : `/${plain}`),
        ...(query === undefined || query === '' ? {} : { params: queryOf(query, template) }),
        ...(headers.length === 0 ? {} : { headers }),
        ...(content === undefined || method === 'GET' ? {} : { body: template(content) }),
      },
    },
  };
}

function headersOf(
  given: unknown,
  template: (text: string) => string,
  warn: (message: string) => void,
): { name: string; value: string }[] {
  return Object.entries(isMap(given) ? given : {}).flatMap(([name, values]) => {
    if (left.has(name.toLowerCase())) {
      warn(`the header ${name} is left out; credentials belong to the connection`);
      return [];
    }
    const list = Array.isArray(values) ? values : [values];
    return list.flatMap((value) => (typeof value === 'string' ? [{ name, value: template(value) }] : []));
  });
}

function queryOf(query: string, template: (text: string) => string): { name: string; value: string }[] {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=');
      const [name, value] = at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
      return { name: unescaped(name), value: template(unescaped(value)) };
    });
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** A name that a connection may have. */
function connectionOf(agent: Agent | undefined): string {
  return slugOf(agent?.name ?? '', 'cacao-agent');
}

function addressOf(agent: Agent | undefined): string {
  const address = isMap(agent?.address) ? Object.values(agent.address).flat() : [];
  const [first] = address.filter((one) => typeof one === 'string');
  return first === undefined ? 'the host that its agent means' : first.slice(0, 200);
}

/** Letters, digits and dashes of a text, lower case; `otherwise` when nothing is left. */
export function slugOf(text: string, otherwise: string): string {
  const slug = String(text)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60)
    .replace(/-+$/, '');
  return slug === '' ? otherwise : slug;
}
