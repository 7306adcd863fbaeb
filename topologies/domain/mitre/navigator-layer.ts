// A layer for the ATT&CK Navigator, format 4.5 (mitre-attack/attack-navigator, layers/spec/v4.5/layerformat.md).

/** One technique of a layer: how often it was recorded, at most how severely, and since when. */
export interface TechniqueCount {
  readonly technique: string;
  readonly count: number;
  readonly severity: string;
  readonly last_at: Date;
}

export interface LayerFacts {
  readonly id: string;
  readonly attackVersion: string;
  readonly domain: string;
  readonly techniques: readonly TechniqueCount[];
  /** Of a known technique; null: the Navigator would not know it. */
  readonly nameOf: (id: string) => string | null;
}

const severityColors = [
  ['low', '#ffe766'],
  ['medium', '#fdae61'],
  ['high', '#d7191c'],
] as const;

/** Techniques that the list does not know are named in the metadata: the Navigator refuses none of the others for them. */
export function navigatorLayer({ id, attackVersion, domain, techniques, nameOf }: LayerFacts): object {
  const known = techniques.filter(({ technique }) => nameOf(technique) !== null);
  const unknown = techniques.filter(({ technique }) => nameOf(technique) === null);
  return {
    name: id,
    versions: { attack: attackVersion.split('.')[0], navigator: '5.2.0', layer: '4.5' },
    domain,
    description: `Techniques that Tocsin recorded for ${id}; the score is how often.`,
    sorting: 3,
    hideDisabled: false,
    techniques: known.map(({ technique, count, severity, last_at }) => ({
      techniqueID: technique,
      score: count,
      comment: `recorded ${count} times, last ${last_at.toISOString()}`,
      enabled: true,
      metadata: [{ name: 'severity', value: severity }],
      showSubtechniques: known.some((other) => other.technique.startsWith(`${technique}.`)),
    })),
    gradient: {
      colors: severityColors.map(([, color]) => color),
      minValue: 0,
      maxValue: Math.max(1, ...known.map(({ count }) => count)),
    },
    legendItems: [],
    metadata: unknown.map(({ technique, count }) => ({
      name: 'unknown technique',
      value: `${technique}: recorded ${count} times`,
    })),
  };
}
