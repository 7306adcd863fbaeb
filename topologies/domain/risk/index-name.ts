// Names of indexes with the date in them, as search stores keep records by month or day.

export const indexPattern = '^[.a-z0-9_](?:[a-z0-9_.-]|\\{(?:yyyy|MM|dd)\\}){0,199}$';

/** `.smos_risk-{yyyy}.{MM}` at a moment, UTC. Epoch ms. */
export function indexNamed(pattern: string, at: number): string {
  const [yyyy = '', MM = '', dd = ''] = new Date(at).toISOString().slice(0, 10).split('-');
  return pattern.replaceAll('{yyyy}', yyyy).replaceAll('{MM}', MM).replaceAll('{dd}', dd);
}
