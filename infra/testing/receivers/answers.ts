// What a scripted HTTP receiver does with one request, shared by the webhook and the HEC receiver.
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * An answer to write, optionally late; or a way to misbehave: never answer, send a final status and then drip the body for ever,
 * break the connection, break it in the middle of a success, redirect elsewhere, answer 200 with a login page.
 */
export type Answer =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly delayMs?: number;
    }
  | { readonly redirect: string; readonly status?: number }
  | 'hang'
  | 'drip'
  | 'reset'
  | 'cut'
  | 'html';

export const LOGIN_PAGE =
  '<!doctype html><html><body><form action="/login">Please sign in</form></body></html>';

/** Carries the answer out; the connection is the caller's to close. */
export function giveAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (answer === 'hang') return;
  if (answer === 'reset') {
    request.socket.resetAndDestroy();
    return;
  }
  if (answer === 'cut') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '400' });
    response.write('{"errors":false,"text":"Success","code":0,', () => request.socket.destroy());
    return;
  }
  if (answer === 'drip') {
    response.writeHead(200, { 'content-length': '1000000' });
    const timer = setInterval(() => response.write('x'), 100);
    request.socket.once('close', () => clearInterval(timer));
    return;
  }
  if (answer === 'html') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(LOGIN_PAGE);
    return;
  }
  if ('redirect' in answer) {
    response.writeHead(answer.status ?? 302, { location: answer.redirect }).end();
    return;
  }
  const write = (): void => {
    if (!response.destroyed) response.writeHead(answer.status, { ...answer.headers }).end(answer.body ?? '');
  };
  if (answer.delayMs === undefined) write();
  else setTimeout(write, answer.delayMs);
}

/** The same answer, `ms` later; ways to misbehave stay as they are. */
export function later(answer: Answer, ms: number): Answer {
  return typeof answer === 'object' && 'status' in answer && !('redirect' in answer)
    ? { ...answer, delayMs: ms }
    : answer;
}
