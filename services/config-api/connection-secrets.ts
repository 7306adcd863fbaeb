// Secrets of a connection: values go into the secret store and a reference into the document.
//
// Invariant: a stored credential only ever goes to the destination it was given for. Whoever changes protocol, host,
// port or the checks of the other side gives the credentials again, and the credential of one connection cannot be
// named by another.
import { createHash } from 'node:crypto';
import { type Actor, can } from '@tocsin/adapters/postgres/access.ts';
import type { Document } from '@tocsin/adapters/postgres/config-store.ts';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { ApiError, unprocessable } from './errors.ts';

type Given =
  | { readonly value: string }
  | { readonly secret: string; readonly version?: number }
  | { readonly env: string }
  | { readonly file: string }
  | null;
type Secrets = Readonly<Record<string, Given>>;

/** Stores a new version of a secret and returns its number. */
export type StoreSecret = (id: string, value: string) => Promise<number>;

const ownPrefix = 'connection.';
const maxSecretBytes = 64 * 1024;

/** Where values given inside a connection are kept; other connections cannot refer to it. */
export function ownSecretId(connectionId: string, name: string): string {
  const plain = `${ownPrefix}${connectionId}.${name}`;
  if (plain.length <= 128) return plain;
  return `${ownPrefix}${createHash('sha256').update(connectionId).digest('hex').slice(0, 40)}.${name}`;
}

export function isOwnSecretId(id: string): boolean {
  return id.startsWith(ownPrefix);
}

/** Reasons why a text cannot be a secret value. */
export function secretIssues(path: string, value: string): Issue[] {
  if (value === '') return [{ path, message: 'must not be empty' }];
  if (/^[*•●xX]{3,}$|^\[?(?:secret|redacted|hidden|masked)\]?$|^<[a-z ]*>$/i.test(value))
    return [{ path, message: 'looks like a mask, not like a secret' }];
  if (Buffer.byteLength(value) > maxSecretBytes)
    return [{ path, message: `must have at most ${maxSecretBytes} bytes` }];
  if (/[\r\n]/.test(value) && !value.startsWith('-----BEGIN '))
    return [{ path, message: 'must be one line, or PEM' }];
  return [];
}

// What decides where a credential goes and who can read it on the way.
const bindings = [
  'type',
  'protocol',
  'engine',
  'host',
  'hosts',
  'port',
  'url',
  'security',
  'tls',
  'ca',
  'allow_insecure',
  'executor',
  'host_keys',
] as const;
const defaults: Readonly<Record<string, unknown>> = {
  protocol: 'https',
  security: 'starttls',
  allow_insecure: false,
  executor: 'agent',
};

/** Names of the fields that bind a credential to its destination and differ. */
export function changedBindings(before: Document, after: Document): string[] {
  const portOf = (document: Document): unknown => {
    if (document.port !== undefined || document.type === 'database' || document.type === 'syslog')
      return document.port ?? null;
    if (document.type === 'script-host') return document.executor === 'ssh' ? 22 : 7443;
    return document.type === 'smtp' ? 587 : document.protocol === 'http' ? 80 : 443;
  };
  const bindingOf = (document: Document, field: string): string => {
    if (field === 'port') return String(portOf(document));
    if (field === 'host') return String(document.host).toLowerCase();
    return JSON.stringify(document[field] ?? defaults[field] ?? null);
  };
  return bindings.filter((field) => bindingOf(before, field) !== bindingOf(after, field));
}

/**
 * The document to store: values moved into the secret store, null removed, names that are not mentioned kept.
 * Throws 422 `secret_required`, 422 for values that cannot be secrets, 403 for a reference the actor may not make.
 */
export async function storeConnectionSecrets(
  given: Document,
  before: Document | null,
  actor: Actor,
  store: StoreSecret,
): Promise<Document> {
  const held = (before?.secrets ?? {}) as Secrets;
  const sent = (given.secrets ?? {}) as Secrets;
  const merged: Record<string, Given> = { ...held, ...sent };
  const changed = before === null ? [] : changedBindings(before, given);
  const issues = Object.entries(sent).flatMap(([name, secret]) =>
    secret !== null && 'value' in secret ? secretIssues(`/secrets/${name}/value`, secret.value) : [],
  );
  if (issues.length > 0) throw unprocessable(issues);

  const carried = Object.entries(merged).filter(([name, secret]) => {
    const old = held[name];
    return (
      secret !== null &&
      'secret' in secret &&
      old !== undefined &&
      old !== null &&
      'secret' in old &&
      old.secret === secret.secret
    );
  });
  if (changed.length > 0 && carried.length > 0)
    throw unprocessable(
      carried.map(([name]) => ({
        path: `/secrets/${name}`,
        message: `must be given again because ${changed.join(', ')} changes`,
      })),
      'secret_required',
    );

  for (const [name, secret] of Object.entries(sent)) {
    if (secret === null || 'value' in secret || carried.some(([other]) => other === name)) continue;
    // Not even its own: the value may have been given for an earlier destination under the same id.
    if ('secret' in secret && isOwnSecretId(secret.secret))
      throw unprocessable([
        { path: `/secrets/${name}/secret`, message: 'belongs to a connection; give the value' },
      ]);
    if (!can(actor.scopes, 'write:secrets') && JSON.stringify(held[name]) !== JSON.stringify(secret))
      throw new ApiError(403, 'forbidden', 'a new reference to a secret needs the scope write:secrets');
  }

  const stored: Record<string, unknown> = {};
  for (const [name, secret] of Object.entries(merged)) {
    if (secret === null) continue;
    if (!('value' in secret)) stored[name] = secret;
    else {
      const id = ownSecretId(given.id, name);
      stored[name] = { secret: id, version: await store(id, secret.value) };
    }
  }
  const { secrets: _, ...rest } = given;
  return (Object.keys(stored).length === 0 ? rest : { ...rest, secrets: stored }) as unknown as Document;
}
