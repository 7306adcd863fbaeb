// Names of places, waits, commands and runs within the state machine.
//
// Invariant: the same run, step and round give the same names on every replay and machine; whoever waits again waits under another
// token. A place is `path#iteration`, a token `<run key>.<run number>/<place>.<epoch>`, of a timer with `!<purpose>` behind it.
// Surprise: the id of a command has neither attempt nor epoch in it, so that what is sent again is recognised as the same.
import { hash } from 'node:crypto';

export interface Token {
  readonly key: string;
  readonly run: number;
  readonly place: string;
  readonly epoch: number;
  /** '' but for timers. */
  readonly purpose: string;
}

const format = /^(.{1,256})\.(\d{1,12})\/([^!]*)\.(\d{1,9})(?:!([a-z]+\d*))?$/s;

export function formatToken({ key, run, place, epoch, purpose }: Token): string {
  return `${key}.${run}/${place}.${epoch}${purpose === '' ? '' : `!${purpose}`}`;
}

/** null when the text is no token. */
export function parseToken(text: string): Token | null {
  const match = format.exec(text);
  if (match === null) return null;
  const [, key = '', run = '', place = '', epoch = '', purpose = ''] = match;
  return { key, run: Number(run), place, epoch: Number(epoch), purpose };
}

/** 128 bits of SHA-256 as 32 hex characters, over the fields as netstrings without comma, as in evaluate/command-id.ts. */
function hashOf(fields: readonly string[]): string {
  const text = fields.map((field) => `${Buffer.byteLength(field)}:${field}`).join('');
  return hash('sha256', text, 'hex').slice(0, 32);
}

/** The identity of the command of a step: run key, run number, path and iteration. */
export function stepCommandId(key: string, run: number, place: string): string {
  const at = place.lastIndexOf('#');
  return hashOf(['run-v1', key, String(run), place.slice(0, at), place.slice(at + 1)]);
}

/** Key of the run that a step starts; `token` is that of the step. */
export function childKey(token: string): string {
  return hashOf(['child-v1', token]);
}

/** Key of the run for a trigger: the values at the paths of the playbook's `dedupe.key`, or the id of the source. */
export function runKey(playbook: string, tenant: string, values: readonly string[]): string {
  return hashOf(['run-key-v1', tenant, playbook, ...values]);
}

/** Key under which a wait and its event meet: `at` is the path in the event, `value` what stands there as text. */
export function correlationKey(tenant: string, at: string, value: string): string {
  return hashOf(['correlation-v1', tenant, at, value]);
}
