// A receiver in memory that answers _bulk as Elasticsearch does: an outcome for each item, in their order.
import { HttpFailure, type HttpPort, type HttpRequest, type HttpResponse } from '../ports/http.ts';

export interface Document {
  readonly n: number;
  readonly bad?: boolean;
}

interface Stored {
  readonly source: Document;
  readonly version: number;
}

export interface ItemError {
  readonly status: number;
  readonly type: string;
}

const mapperParsing: ItemError = { status: 400, type: 'mapper_parsing_exception' };
export const rejected: ItemError = { status: 429, type: 'es_rejected_execution_exception' };

/** Documents marked `bad` do not fit the mapping. `state.item` may refuse any other item, `state.fault` the request. */
export function bulkReceiver() {
  const documents = new Map<string, Stored>();
  const requests: { readonly url: string; readonly events: number }[] = [];
  const state = {
    item: null as ((source: Document, attempt: number) => ItemError | null) | null,
    fault: null as ((items: number, request: HttpRequest) => HttpResponse | HttpFailure | null) | null,
    /** Made of the true answer. */
    answer: null as ((response: HttpResponse) => HttpResponse) | null,
    probe: 200,
    probes: 0,
    /** Items that were there already. */
    conflicts: 0,
  };
  const attempts = new Map<string, number>();

  function outcome(action: string, meta: Record<string, unknown>, source: Document): ItemError | number {
    const id = String(meta['_id']);
    const attempt = (attempts.get(id) ?? 0) + 1;
    attempts.set(id, attempt);
    const error = state.item?.(source, attempt) ?? (source.bad === true ? mapperParsing : null);
    if (error !== null) return error;
    const there = documents.get(id);
    const version = Number(meta['version'] ?? 1);
    if (there !== undefined && (action === 'create' || version <= there.version)) {
      state.conflicts += 1;
      return { status: 409, type: 'version_conflict_engine_exception' };
    }
    documents.set(id, { source, version });
    return there === undefined ? 201 : 200;
  }

  const http: HttpPort = {
    async send(request) {
      if (request.method === 'GET') {
        state.probes += 1;
        return json(state.probe, {});
      }
      const lines = (request.body as Buffer).toString().split('\n');
      if (lines.pop() !== '') return json(400, { error: { type: 'illegal_argument_exception' } });
      const events = lines.length / 2;
      requests.push({ url: request.url, events });
      const fault = state.fault?.(events, request) ?? null;
      if (fault instanceof HttpFailure) throw fault;
      if (fault !== null) return fault;
      const items = [];
      for (let k = 0; k < lines.length; k += 2) {
        const [[action, meta]] = Object.entries(JSON.parse(lines[k]!)) as [[string, Record<string, unknown>]];
        const result = outcome(action, meta, JSON.parse(lines[k + 1]!) as Document);
        items.push({
          [action]:
            typeof result === 'number'
              ? { status: result }
              : { status: result.status, error: { type: result.type, reason: 'why' } },
        });
      }
      const errors = items.some((item) => 'error' in Object.values(item)[0]!);
      const response = json(200, { errors, items });
      return state.answer?.(response) ?? response;
    },
  };
  const stored = (): number[] => [...documents.values()].map(({ source }) => source.n).sort((a, b) => a - b);
  return { http, state, documents, requests, stored };
}

export function json(status: number, body: unknown): HttpResponse {
  return { status, headers: {}, body: Buffer.from(JSON.stringify(body)), truncated: false };
}
