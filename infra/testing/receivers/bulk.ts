// The _bulk API of Elasticsearch with its documents in memory: `create` alone, item by item.
//
// Invariant: `documents` holds what was answered with 201, once for each index and id; what is there already is answered with 409.
import { type Answer, giveAnswer } from './answers.ts';
import { listen, readBody } from './http-server.ts';

export interface BulkReceiver {
  readonly url: string;
  readonly port: number;
  /** Documents by `<index>/<id>`, in the order of arrival. */
  readonly documents: ReadonlyMap<string, unknown>;
  readonly requests: readonly { readonly items: number; readonly status: number }[];
  close(): Promise<void>;
}

const maxBodyBytes = 100 * 1024 * 1024;

/** Requests need `Authorization: ApiKey <apiKey>`. */
export async function startBulkReceiver(options: { readonly apiKey: string }): Promise<BulkReceiver> {
  const documents = new Map<string, unknown>();
  const requests: { items: number; status: number }[] = [];

  function create(action: string, source: string): { create: { status: number; error?: { type: string } } } {
    const { create } = JSON.parse(action) as { create?: { _index?: string; _id?: string } };
    if (create?._index === undefined || create._id === undefined)
      return { create: { status: 400, error: { type: 'action_request_validation_exception' } } };
    const name = `${create._index}/${create._id}`;
    if (documents.has(name))
      return { create: { status: 409, error: { type: 'version_conflict_engine_exception' } } };
    documents.set(name, JSON.parse(source));
    return { create: { status: 201 } };
  }

  function take(body: Buffer): Answer {
    const lines = body.toString('utf8').split('\n');
    // A body ends with a line feed; two lines are a document.
    if (lines.pop() !== '' || lines.length % 2 !== 0)
      return json(400, { error: { type: 'parse_exception' } });
    const items = Array.from({ length: lines.length / 2 }, (_, i) =>
      create(lines[2 * i] ?? '', lines[2 * i + 1] ?? ''),
    );
    return json(200, { errors: items.some((item) => item.create.status > 201), items }, items.length);
  }

  function json(status: number, body: unknown, items = 0): Answer {
    requests.push({ items, status });
    return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  }

  const server = await listen(async (request, response) => {
    const body = await readBody(request, maxBodyBytes).catch(() => null);
    if (body === null) return request.socket.destroy();
    const path = (request.url ?? '').split('?')[0];
    const isBulk = request.method === 'POST' && path === '/_bulk';
    giveAnswer(
      request,
      response,
      request.headers.authorization !== `ApiKey ${options.apiKey}`
        ? json(401, { error: { type: 'security_exception' } })
        : isBulk
          ? take(body)
          : json(200, { version: { number: '9.0.0' } }),
    );
  });
  return { ...server, documents, requests };
}
