// The _bulk API of Elasticsearch with its documents in memory: `create` alone, item by item, faults included.
//
// Invariant: `documents` holds what was answered with 201, once for each index and id; what is there already is answered with 409.
import { type Answer, giveAnswer, later } from './answers.ts';
import { listen, readBody } from './http-server.ts';

export interface BulkOptions {
  /** Requests need `Authorization: ApiKey <apiKey>`. */
  readonly apiKey: string;
  readonly port?: number;
  /** Indexes that are there, or are made on demand; all without it. */
  readonly indexes?: readonly string[];
  /** Documents that are there from the start, by `<index>/<id>`. */
  readonly known?: Iterable<string>;
  /** Why the mapping refuses a document; null takes it. */
  readonly refuse?: (source: unknown) => string | null;
  /** Called before the request is answered, with the documents that are there now because of it or were before. */
  readonly onStored?: (documents: readonly { readonly name: string; readonly source: unknown }[]) => void;
}

/**
 * What is wrong with a request. `taken` stores what it brought and gives an answer of another kind then, `lateMs` the right one so much later;
 * `busy` answers that share of the items with 429, not the same ones the next time; everything else is an answer without a look at the body.
 */
export type BulkFault =
  | Answer
  | { readonly taken: Answer }
  | { readonly lateMs: number }
  | { readonly busy: number };

export interface BulkReceiver {
  readonly url: string;
  readonly port: number;
  /** Documents by `<index>/<id>`, in the order of arrival. */
  readonly documents: ReadonlyMap<string, unknown>;
  readonly requests: readonly { readonly items: number; readonly status: number }[];
  /** Faults for the next requests, one each. */
  script(...faults: readonly BulkFault[]): void;
  /** A fault for every request until it is set to null; questions without events fail as well unless they are said to be `up`. */
  failWith(fault: BulkFault | null, health?: 'up' | 'down'): void;
  close(): Promise<void>;
}

interface Item {
  readonly status: number;
  readonly error?: { readonly type: string; readonly reason?: string };
}

const maxBodyBytes = 100 * 1024 * 1024;

export async function startBulkReceiver(options: BulkOptions): Promise<BulkReceiver> {
  const documents = new Map<string, unknown>([...(options.known ?? [])].map((name) => [name, null]));
  const requests: { items: number; status: number }[] = [];
  const scripted: BulkFault[] = [];
  let always: BulkFault | null = null;
  let isDown = false;
  let seen = 0;

  function create(action: string, source: string, busy: number, stored: [string, unknown][]): Item {
    const { create } = JSON.parse(action) as { create?: { _index?: string; _id?: string } };
    if (create?._index === undefined || create._id === undefined)
      return { status: 400, error: { type: 'action_request_validation_exception' } };
    seen += 1;
    // Steps of the golden ratio: evenly spread, and out of step with what is sent again.
    if ((seen * 0.618034) % 1 < busy)
      return {
        status: 429,
        error: { type: 'es_rejected_execution_exception', reason: 'rejected execution' },
      };
    if (options.indexes?.includes(create._index) === false)
      return { status: 404, error: { type: 'index_not_found_exception', reason: 'no such index' } };
    const document: unknown = JSON.parse(source);
    const refused = options.refuse?.(document) ?? null;
    if (refused !== null)
      return { status: 400, error: { type: 'mapper_parsing_exception', reason: refused } };
    const name = `${create._index}/${create._id}`;
    stored.push([name, document]);
    if (documents.has(name)) return { status: 409, error: { type: 'version_conflict_engine_exception' } };
    documents.set(name, document);
    return { status: 201 };
  }

  function take(body: Buffer, busy: number): Answer {
    const lines = body.toString('utf8').split('\n');
    // A body ends with a line feed; two lines are a document.
    if (lines.pop() !== '' || lines.length % 2 !== 0)
      return json(400, { error: { type: 'parse_exception' } });
    const stored: [string, unknown][] = [];
    const items = Array.from({ length: lines.length / 2 }, (_, i) => ({
      create: create(lines[2 * i] ?? '', lines[2 * i + 1] ?? '', busy, stored),
    }));
    if (stored.length > 0) options.onStored?.(stored.map(([name, source]) => ({ name, source })));
    return json(200, { errors: items.some((item) => item.create.status > 201), items }, items.length);
  }

  function json(status: number, body: unknown, items = 0): Answer {
    requests.push({ items, status });
    return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  }

  function judge(body: Buffer, fault: BulkFault | null): Answer {
    if (fault === null) return take(body, 0);
    if (typeof fault === 'object' && 'taken' in fault) {
      take(body, 0);
      return fault.taken;
    }
    if (typeof fault === 'object' && 'lateMs' in fault) return later(take(body, 0), fault.lateMs);
    if (typeof fault === 'object' && 'busy' in fault) return take(body, fault.busy);
    return fault;
  }

  function answerTo(isBulk: boolean, authorization: string | undefined, body: Buffer): Answer {
    if (!isBulk && isDown) return json(503, { error: { type: 'master_not_discovered_exception' } });
    if (authorization !== `ApiKey ${options.apiKey}`)
      return json(401, { error: { type: 'security_exception' } });
    if (!isBulk) return json(200, { version: { number: '9.0.0' } });
    return judge(body, scripted.shift() ?? always);
  }

  const server = await listen(
    async (request, response) => {
      const body = await readBody(request, maxBodyBytes).catch(() => null);
      if (body === null) return request.socket.destroy();
      const path = (request.url ?? '').split('?')[0];
      const isBulk = request.method === 'POST' && path === '/_bulk';
      giveAnswer(request, response, answerTo(isBulk, request.headers.authorization, body));
    },
    options.port === undefined ? {} : { port: options.port },
  );
  return {
    ...server,
    documents,
    requests,
    script: (...faults) => void scripted.push(...faults),
    failWith(fault, health = 'down') {
      always = fault;
      isDown = fault !== null && health === 'down';
    },
  };
}
