// The index template for events: what the charts count is a keyword, what people read is text, and a new member is no error.
//
// Surprise: `ignore_malformed` keeps an event whose number or date is no such thing: the document is stored, that one field of it is
// not searchable. Without it one `"cvss": "n/a"` would send its event to the dead letters.

const keyword = { type: 'keyword', ignore_above: 1024 };
const text = { type: 'text', fields: { keyword: { ...keyword, ignore_above: 256 } } };

/** Body of PUT /_index_template/<name> for indices, or a data stream, whose name begins with `base`. */
export function indexTemplate(base: string, dataStream: boolean): Record<string, unknown> {
  return {
    index_patterns: [dataStream ? base : `${base}*`],
    // Above the templates that come with Elasticsearch, such as the one for logs-*-*.
    priority: 500,
    ...(dataStream ? { data_stream: {} } : {}),
    template: {
      settings: { 'index.mapping.ignore_malformed': true, 'index.mapping.total_fields.limit': 2000 },
      mappings: {
        // A text that looks like a date today need not be one tomorrow.
        date_detection: false,
        dynamic_templates: [{ strings: { match_mapping_type: 'string', mapping: keyword } }],
        properties: {
          '@timestamp': { type: 'date' },
          timestamp: { type: 'date' },
          id: keyword,
          event: keyword,
          tenant: keyword,
          data: {
            properties: {
              finding_id: keyword,
              scan_id: keyword,
              title: text,
              description: text,
              remediation: text,
              // One bucket for Critical, CRITICAL and critical.
              severity: { type: 'keyword', normalizer: 'lowercase' },
              cvss: { type: 'float' },
              asset: { properties: { id: keyword, name: keyword, type: keyword } },
            },
          },
        },
      },
    },
  };
}
