// A sink together with the connection that is its own, under one id: what webhooks and SIEM integrations are made of.
//
// Invariant: both documents are written in one transaction, under the checks of every other document; nothing else is stored.
// Surprise: the ETag names both revisions, so a change of either alone is noticed.
import { type Actor, asWebhookWriter } from '@tocsin/adapters/postgres/access.ts';
import type { ConfigWriter, Document, StoredDocument } from '@tocsin/adapters/postgres/config-store.ts';
import { checkDocument, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { FastifyRequest } from 'fastify';
import { createDocumentCheck } from './check-document.ts';
import { storeConnectionSecrets } from './connection-secrets.ts';
import type { Dependencies } from './dependencies.ts';
import { ApiError, unprocessable } from './errors.ts';
import { once } from './idempotency.ts';

export interface StoredPair {
  readonly sink: StoredDocument;
  readonly connection: StoredDocument;
}

export interface PairDocuments {
  readonly sink: Document;
  /** Secrets as values, as references, or null. */
  readonly connection: Document;
}

/** Where a field of the documents is in the body of the request; the same path when it says nothing. */
export type BodyPath = (path: string) => string;

interface Reader {
  get(kind: 'sink' | 'connection', id: string): Promise<StoredDocument | null>;
}

/** The pair of this id; null when there is none. */
export async function findPair(
  reader: Reader,
  id: string,
  isOurs: (sink: Document) => boolean,
): Promise<StoredPair | null> {
  const sink = await reader.get('sink', id);
  if (sink === null || sink.document.connection !== id || !isOurs(sink.document)) return null;
  const connection = await reader.get('connection', id);
  return connection === null ? null : { sink, connection };
}

export function etagOf({ sink, connection }: StoredPair): string {
  return `"${sink.revision}-${connection.revision}"`;
}

/** 412 when the request names another state than this one; 428 when it names none and has to. */
export function checkMatch(request: FastifyRequest, pair: StoredPair, isRequired: boolean): void {
  const given = request.headers['if-match'];
  if (given === undefined) {
    if (isRequired)
      throw new ApiError(428, 'precondition_required', 'send If-Match with the ETag that was read');
    return;
  }
  if (given.trim() !== etagOf(pair))
    throw new ApiError(412, 'stale', `${pair.sink.document.id} is at ${etagOf(pair)}`);
}

export interface SinkPairs {
  /** Throws 422 that names fields of the body, 409 `exists` where `before` is null and something has the id. */
  put(
    writer: ConfigWriter,
    actor: Actor,
    before: StoredPair | null,
    documents: PairDocuments,
    bodyPath: BodyPath,
  ): Promise<StoredPair>;
  remove(writer: ConfigWriter, pair: StoredPair): Promise<void>;
  /** Runs `work` in one transaction as somebody who may write both documents. 409 while the API does not write. */
  write<T>(actor: Actor, work: (writer: ConfigWriter) => Promise<T>): Promise<T>;
  /** The same once for an Idempotency-Key. Gives the text of the answer. */
  writeOnce(
    request: FastifyRequest,
    work: (writer: ConfigWriter) => Promise<unknown>,
  ): Promise<{ readonly body: string; readonly replayed: boolean }>;
}

export function createSinkPairs({
  store,
  catalogue,
  vault,
  pepper,
  readOnly,
}: Pick<Dependencies, 'store' | 'catalogue' | 'vault' | 'pepper' | 'readOnly'>): SinkPairs {
  const check = createDocumentCheck(catalogue);

  async function write<T>(actor: Actor, work: (writer: ConfigWriter) => Promise<T>): Promise<T> {
    if (readOnly !== null) throw new ApiError(409, 'config_dir', readOnly);
    return store.write(asWebhookWriter(actor), work);
  }

  return {
    write,
    async put(writer, actor, before, documents, bodyPath) {
      const { id } = documents.sink;
      if (before === null)
        for (const kind of ['sink', 'connection'] as const)
          if ((await writer.get(kind, id)) !== null)
            throw new ApiError(409, 'exists', `${kind} ${id} exists already`);
      return inBody(bodyPath, async () => {
        const connection = await storeConnectionSecrets(
          documents.connection,
          before?.connection.document ?? null,
          actor,
          (secret, value) => vault.put(writer.transaction, secret, value, actor.id),
        );
        fit('connection.json', connection);
        fit('sink.json', documents.sink);
        await check(connection, writer, actor.id);
        const stored = await writer.put(connection, before?.connection.revision ?? 'absent');
        await check(documents.sink, writer, actor.id);
        return {
          connection: stored,
          sink: await writer.put(documents.sink, before?.sink.revision ?? 'absent'),
        };
      });
    },
    async remove(writer, pair) {
      await writer.remove('sink', pair.sink.document.id, pair.sink.revision);
      await writer.remove('connection', pair.connection.document.id, pair.connection.revision);
    },
    writeOnce: (request, work) =>
      write(request.actor, (writer) =>
        once(writer, request, pepper, async () => ({ status: 201, body: await work(writer) })),
      ),
  };
}

// What is stored is read by every service, whatever the body was.
function fit(schema: 'connection.json' | 'sink.json', document: Document): void {
  const issues = checkDocument(schema, document);
  if (issues.length > 0) throw unprocessable(issues);
}

async function inBody<T>(bodyPath: BodyPath, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApiError) || error.issues.length === 0) throw error;
    const issues = error.issues.map((issue): Issue => ({ ...issue, path: bodyPath(issue.path) }));
    throw new ApiError(422, error.code === 'validation' ? 'invalid' : error.code, issues[0]!.message, {
      issues,
    });
  }
}
