// The identity of a command: the same cause gives the same id, on every replay and on every machine.
//
// Invariant: no rule or action revision is part of it, so that an input which is evaluated again after an edit cannot act
// twice. Fields are length-prefixed: no two different lists of fields give the same bytes.
import { createHash } from 'node:crypto';

export interface CommandIdentity {
  /** '' without tenant. */
  readonly tenant: string;
  readonly sourceId: string;
  readonly ruleId: string;
  /** Key of the entry in the rule's `then`. */
  readonly actionKey: string;
  readonly rowIndex: number | 'all';
}

/**
 * 128 bits of SHA-256 as 32 hex characters. Hashed are the fields v1, tenant, source id, rule id, action key and row
 * index or `all`, each as its length in UTF-8 bytes in decimal, a colon, and the bytes (a netstring without comma).
 */
export function commandId({ tenant, sourceId, ruleId, actionKey, rowIndex }: CommandIdentity): string {
  return hashFields(['v1', tenant, sourceId, ruleId, actionKey, String(rowIndex)]);
}

/** 32 hex characters of a list of fields, hashed as `commandId` says. */
export function hashFields(fields: readonly string[]): string {
  const hash = createHash('sha256');
  for (const field of fields) hash.update(`${Buffer.byteLength(field)}:${field}`);
  return hash.digest('hex').slice(0, 32);
}
