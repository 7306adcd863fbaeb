// What a dry run shows of a request: everything that a person needs to judge it, no credential, and not more than fits in a result.
//
// Invariant: the value of a header that carries a credential is never shown, whoever set it.
import type { HttpRequest } from '../../ports/http.ts';
import type { HttpTarget } from './http-target.ts';
import type { Json } from './outcome.ts';

/** UTF-8 bytes of one text that are shown. */
export const shownTextBytes = 16 * 1024;
/** Messages or lines that are shown. */
export const shownItems = 20;
const hidden = '[redacted]';

/** Headers that are credentials, or made with one. */
const credentials: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'x-api-key',
  'webhook-signature',
  'x-s4e-signature',
]);

/** The text, cut where it is long. */
export function shownText(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= shownTextBytes) return text;
  // A character that the cut would halve is left out.
  const kept = bytes
    .subarray(0, shownTextBytes)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
  return `${kept}... (${bytes.length} bytes)`;
}

/** An HTTP request as it would be sent. */
export function shownRequest(
  request: HttpRequest,
  target: Pick<HttpTarget, 'authorization'>,
): { readonly [key: string]: Json } {
  const secret = new Set([...credentials, ...target.authorization.map(([name]) => name.toLowerCase())]);
  const { method, url, headers, body } = request;
  return {
    method,
    url: shownText(url),
    headers: headers.map(([name, value]) => [
      name,
      secret.has(name.toLowerCase()) ? hidden : shownText(value),
    ]),
    ...(body === undefined ? {} : { body: shownText(body.toString()) }),
  };
}
