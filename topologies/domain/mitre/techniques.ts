// The techniques of MITRE ATT&CK that are known here: the bundled list, which `node infra/local/attack-list.ts` replaces.
//
// © 2025 The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE Corporation (LICENSE-attack).
import bundled from './attack-techniques.json' with { type: 'json' };
import type { AttackList } from './compact-stix.ts';

export interface Technique {
  readonly id: string;
  readonly name: string;
  /** Short names, such as credential-access. */
  readonly tactics: readonly string[];
  /** Null: it is in use. */
  readonly state: 'revoked' | 'deprecated' | null;
}

const list = bundled as unknown as AttackList;

/** Version of ATT&CK, such as 18.1. */
export const attackVersion = list.version;
export const attackDomain = list.domain;

export const techniquePattern = /^T\d{4}(?:\.\d{3})?$/;

/** The technique or sub-technique; null when the list does not have it. */
export function techniqueOf(id: string): Technique | null {
  const entry = Object.hasOwn(list.techniques, id) ? list.techniques[id] : undefined;
  if (entry === undefined) return null;
  const [name, tactics, state = null] = entry;
  return { id, name, tactics, state };
}
