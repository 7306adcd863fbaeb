// The four charts that the integration guide lists for Kibana, on one dashboard, as saved objects.
//
// Surprise: the objects are those of Kibana 7.10, which is what OpenSearch Dashboards grew from and what newer Kibanas still take; each
// says so in `migrationVersion`, and the receiver brings it up to date while importing.

interface SavedObject {
  readonly type: 'index-pattern' | 'visualization' | 'dashboard';
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly references: readonly { readonly name: string; readonly type: string; readonly id: string }[];
  readonly migrationVersion: Readonly<Record<string, string>>;
}

export interface Chart {
  readonly id: string;
  readonly title: string;
  readonly kind: 'pie' | 'line' | 'horizontal_bar' | 'histogram';
  /** In KQL. */
  readonly query: string;
  /** What is counted apart: the values of a field, or spans of time. */
  readonly by: { readonly terms: string } | { readonly time: '@timestamp' };
}

export const charts: readonly Chart[] = [
  {
    id: 'severity',
    title: 'Finding count by severity',
    kind: 'pie',
    query: 'event: "finding.new"',
    by: { terms: 'data.severity' },
  },
  {
    id: 'new-findings',
    title: 'New findings over time',
    kind: 'line',
    query: 'event: "finding.new"',
    by: { time: '@timestamp' },
  },
  {
    id: 'assets',
    title: 'Top affected assets',
    kind: 'horizontal_bar',
    query: 'event: "finding.new"',
    by: { terms: 'data.asset.name' },
  },
  {
    id: 'scans',
    title: 'Scan completion timeline',
    kind: 'histogram',
    query: 'event: "scan.completed"',
    by: { time: '@timestamp' },
  },
];

const sourceRef = 'kibanaSavedObjectMeta.searchSourceJSON.index';

/** The saved objects for the indices of `pattern` (`s4e-events*`), referenced ones first. `name` begins all ids. */
export function savedObjects(name: string, pattern: string): SavedObject[] {
  const source: SavedObject = {
    type: 'index-pattern',
    id: `${name}-index`,
    attributes: { title: pattern, timeFieldName: '@timestamp' },
    references: [],
    migrationVersion: { 'index-pattern': '7.6.0' },
  };
  const visualizations = charts.map((chart): SavedObject => {
    return {
      type: 'visualization',
      id: `${name}-${chart.id}`,
      attributes: {
        title: chart.title,
        visState: JSON.stringify(visState(chart)),
        uiStateJSON: '{}',
        description: '',
        kibanaSavedObjectMeta: {
          searchSourceJSON: JSON.stringify({
            query: { query: chart.query, language: 'kuery' },
            filter: [],
            indexRefName: sourceRef,
          }),
        },
      },
      references: [{ name: sourceRef, type: 'index-pattern', id: source.id }],
      migrationVersion: { visualization: '7.10.0' },
    };
  });
  return [source, ...visualizations, dashboard(name, visualizations)];
}

/** One object a line, as POST /api/saved_objects/_import takes them. */
export function savedObjectsFile(objects: readonly SavedObject[]): string {
  return objects.map((object) => `${JSON.stringify(object)}\n`).join('');
}

function visState({ title, kind, by }: Chart): Record<string, unknown> {
  const bucket =
    'terms' in by
      ? {
          type: 'terms',
          params: {
            ...{ field: by.terms, orderBy: '1', order: 'desc', size: 10 },
            ...{ otherBucket: false, missingBucket: false },
          },
        }
      : {
          type: 'date_histogram',
          params: { field: by.time, interval: 'auto', min_doc_count: 0, drop_partials: false },
        };
  return {
    title,
    type: kind,
    aggs: [
      { id: '1', enabled: true, type: 'count', schema: 'metric', params: {} },
      { id: '2', enabled: true, schema: 'segment', ...bucket },
    ],
    params: kind === 'pie' ? pieParams : axesParams(kind),
  };
}

const common = { addTooltip: true, addLegend: true, legendPosition: 'right' };
const pieParams = {
  ...{ ...common, type: 'pie', isDonut: false },
  labels: { show: true, values: true, last_level: true, truncate: 100 },
};

function axesParams(kind: string): Record<string, unknown> {
  const isBar = kind === 'horizontal_bar';
  const axis = { show: true, style: {}, labels: { show: true, truncate: 100 } };
  return {
    ...{ ...common, type: isBar ? 'histogram' : kind, grid: { categoryLines: false } },
    categoryAxes: [
      {
        ...{ ...axis, id: 'CategoryAxis-1', type: 'category', position: isBar ? 'left' : 'bottom' },
        ...{ scale: { type: 'linear' }, title: {} },
      },
    ],
    valueAxes: [
      {
        ...{ ...axis, id: 'ValueAxis-1', name: 'LeftAxis-1', type: 'value' },
        ...{ position: isBar ? 'bottom' : 'left', scale: { type: 'linear', mode: 'normal' } },
        title: { text: 'Count' },
      },
    ],
    seriesParams: [
      {
        ...{ show: true, type: kind === 'line' ? 'line' : 'histogram', mode: 'normal' },
        ...{ data: { label: 'Count', id: '1' }, valueAxis: 'ValueAxis-1' },
        ...{ drawLinesBetweenPoints: true, showCircles: true },
      },
    ],
    times: [],
    addTimeMarker: false,
    labels: {},
    thresholdLine: { show: false, value: 10, width: 1, style: 'full', color: '#E7664C' },
  };
}

function dashboard(name: string, panels: readonly SavedObject[]): SavedObject {
  return {
    type: 'dashboard',
    id: `${name}-dashboard`,
    attributes: {
      ...{ title: 'Security events', description: '', hits: 0, version: 1 },
      ...{ timeRestore: true, timeFrom: 'now-30d', timeTo: 'now' },
      optionsJSON: JSON.stringify({ useMargins: true, hidePanelTitles: false }),
      panelsJSON: JSON.stringify(
        panels.map((_, k) => ({
          version: '7.10.0',
          gridData: { x: (k % 2) * 24, y: Math.floor(k / 2) * 15, w: 24, h: 15, i: String(k) },
          panelIndex: String(k),
          embeddableConfig: {},
          panelRefName: `panel_${k}`,
        })),
      ),
      kibanaSavedObjectMeta: {
        searchSourceJSON: JSON.stringify({ query: { query: '', language: 'kuery' }, filter: [] }),
      },
    },
    references: panels.map(({ type, id }, k) => ({ name: `panel_${k}`, type, id })),
    migrationVersion: { dashboard: '7.9.3' },
  };
}
