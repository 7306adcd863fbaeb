// Turns what undici and Node report into the closed list of HTTP failure classes.
// Invariant: `sent` is false only when it is certain that the receiver's application saw nothing of the request.
// Surprise: in TLS 1.3 the server judges our client certificate after our side of the handshake is done, so its alert arrives
// while we wait for the answer; a refused handshake means that the request was never read.

import { HttpFailure } from '@tocsin/topologies/ports/http.ts';
import { errors } from 'undici';

const refusedByUs = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);
const notHttp = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH']);
const weStop = new Set(['UND_ERR_DESTROYED', 'UND_ERR_CLOSED', 'UND_ERR_ABORTED']);

/** `started`: the request was handed to a connected socket. */
export function classifyFailure(error: Error, started: boolean): HttpFailure {
  if (error instanceof HttpFailure) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const text = code === '' || error.message.includes(code) ? error.message : `${code}: ${error.message}`;
  if (refusedByUs.has(code)) return new HttpFailure('protocol', text, { sent: false, cause: error });
  if (isProtocolError(error, code)) return new HttpFailure('protocol', text, { sent: started, cause: error });
  if (/^ERR_(SSL|TLS)_/.test(code)) {
    return new HttpFailure('tls', text, { sent: started && !code.includes('_ALERT_'), cause: error });
  }
  if (weStop.has(code)) return new HttpFailure('aborted', text, { sent: started, cause: error });
  return new HttpFailure(started ? 'reset' : 'connect', text, { sent: started, cause: error });
}

function isProtocolError(error: Error, code: string): boolean {
  if (notHttp.has(code) || error instanceof errors.HTTPParserError || code.startsWith('HPE_')) return true;
  // undici says 'bad response' for an answer nobody asked for or a 100 it did not ask for, 'bad upgrade' for a stray 101.
  return code === 'UND_ERR_SOCKET' && error.message.startsWith('bad ');
}
