// The techniques of a STIX 2 bundle as MITRE publishes it (mitre-attack/attack-stix-data), as the compact list that is bundled here.

/** Name, tactics, and what became of the technique when it is no longer in use. */
export type AttackEntry = readonly [
  name: string,
  tactics: readonly string[],
  state?: 'revoked' | 'deprecated',
];

export interface AttackList {
  readonly domain: string;
  readonly version: string;
  readonly copyright: string;
  /** File beside the list. */
  readonly license: string;
  readonly techniques: Readonly<Record<string, AttackEntry>>;
}

interface StixObject {
  readonly type?: string;
  readonly name?: string;
  readonly revoked?: boolean;
  readonly x_mitre_deprecated?: boolean;
  readonly x_mitre_version?: string;
  readonly external_references?: readonly { readonly source_name?: string; readonly external_id?: string }[];
  readonly kill_chain_phases?: readonly { readonly kill_chain_name?: string; readonly phase_name?: string }[];
}

/** Throws TypeError when the bundle holds no collection or no techniques. `year`: of MITRE's copyright notice. */
export function compactStix(bundle: { readonly objects?: readonly StixObject[] }, year: number): AttackList {
  const objects = bundle.objects ?? [];
  const version = objects.find(({ type }) => type === 'x-mitre-collection')?.x_mitre_version;
  if (version === undefined) throw new TypeError('the bundle has no x-mitre-collection with a version');
  const entries = new Map<string, AttackEntry>();
  for (const object of objects.filter(({ type }) => type === 'attack-pattern')) {
    const id = object.external_references?.find(
      ({ source_name }) => source_name === 'mitre-attack',
    )?.external_id;
    if (id === undefined) continue;
    const state =
      object.revoked === true ? 'revoked' : object.x_mitre_deprecated === true ? 'deprecated' : null;
    // An id that was given to another technique: the one in use counts.
    if (state !== null && entries.has(id)) continue;
    const tactics = (object.kill_chain_phases ?? [])
      .filter(({ kill_chain_name }) => kill_chain_name === 'mitre-attack')
      .map(({ phase_name = '' }) => phase_name)
      .sort();
    entries.set(id, [object.name ?? id, tactics, ...(state === null ? ([] as const) : ([state] as const))]);
  }
  if (entries.size === 0) throw new TypeError('the bundle has no techniques');
  return {
    domain: 'enterprise-attack',
    version,
    copyright: `© ${year} The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE Corporation.`,
    license: 'LICENSE-attack',
    techniques: Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
