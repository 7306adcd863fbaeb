// The one way in for bodies: exactly application/json, read by the strict JSON reader. Routes that say `form` take the body of an
// HTML form instead, and nothing else.
//
// Invariant: a body that reaches a handler was parsed here and has no duplicate keys, no __proto__, no control
// characters and only well-formed text; its raw bytes are kept for the idempotency hash.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { FastifyInstance } from 'fastify';
import { ApiError, badRequest } from './errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    form?: boolean;
  }
  interface FastifyRequest {
    rawBody: Buffer | null;
  }
}

export const maxBodyBytes = 256 * 1024;
/** A named list is larger than any other document; as a record of the log it stays below 1 MiB. */
export const maxListBytes = 896 * 1024;

// Lax matching of this header has been a way around body validation (CVE-2025-32442, CVE-2026-25223, CVE-2026-3419).
const contentType = /^application\/json(?:; ?charset=utf-8)?$/i;
const formType = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i;

export function readJsonBodies(app: FastifyInstance): void {
  app.decorateRequest('rawBody', null);
  app.removeAllContentTypeParsers();
  app.addHook('onRequest', async (request) => {
    const given = request.raw.headers['content-type'];
    const hasBody =
      request.raw.headers['transfer-encoding'] !== undefined ||
      Number(request.raw.headers['content-length'] ?? 0) !== 0;
    const [wanted, name] =
      request.routeOptions.config.form === true
        ? [formType, 'application/x-www-form-urlencoded']
        : [contentType, 'application/json'];
    if ((given !== undefined && !wanted.test(given)) || (given === undefined && hasBody))
      throw new ApiError(415, 'unsupported_media_type', `send Content-Type: ${name}`);
  });
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = body as Buffer;
    const maxBytes = request.routeOptions.bodyLimit ?? maxBodyBytes;
    const parsed = parseJson(bytes, { maxBytes, forbiddenKeys: 'refuse', topLevel: 'object' });
    if (!parsed.ok) return done(new ApiError(400, 'invalid_json', `${parsed.reason}: ${parsed.detail}`));
    // RFC 8259 section 8.1: a sender must not add a byte order mark.
    if (parsed.bom) return done(new ApiError(400, 'invalid_json', 'byte order mark'));
    const issues = textIssues(parsed.value);
    if (issues.length > 0) return done(badRequest(issues));
    request.rawBody = bytes;
    done(null, parsed.value);
  });
}

/** For the routes of one scope: each field once, as text. */
export function readForms(app: FastifyInstance, maxBytes: number): void {
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit: maxBytes },
    (_request, body, done) => {
      const fields = [...new URLSearchParams(body.toString('utf8'))];
      const names = new Set(fields.map(([name]) => name));
      if (names.size < fields.length || names.has('__proto__'))
        return done(new ApiError(400, 'bad_request', 'a field of the form comes twice'));
      const value = Object.fromEntries(fields);
      const issues = textIssues(value);
      done(issues.length > 0 ? badRequest(issues) : null, value);
    },
  );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/** Text that the store or a receiver cannot hold: control characters but tab and line ends, lone surrogates. */
export function textIssues(value: unknown, path = ''): Issue[] {
  if (typeof value === 'string') {
    if (control.test(value)) return [{ path, message: 'must not contain control characters' }];
    return value.isWellFormed() ? [] : [{ path, message: 'must be well-formed Unicode' }];
  }
  if (Array.isArray(value)) return value.flatMap((item, index) => textIssues(item, `${path}/${index}`));
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const pointer = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const own = textIssues(name, pointer);
    return own.length > 0 ? own : textIssues(member, pointer);
  });
}
