// Runs one HTTP action on fakes and shows what it sent, for the tests of action types.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Action, ActionContext, ResolvedConnection } from '../domain/action/define-action.ts';
import type { Outcome } from '../domain/action/outcome.ts';
import type { FakeAnswer } from '../ports/fakes/http.ts';
import type { HttpRequest } from '../ports/http.ts';
import { contextFor, type Fakes, fakes } from './action-fakes.ts';
import { checkStated } from './stated.ts';

export interface SentJson {
  readonly outcome: Outcome;
  readonly requests: readonly HttpRequest[];
  /** The last request, which is the message. */
  readonly request: HttpRequest | undefined;
  /** Its body, parsed; null without a request. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  readonly body: any;
}

export async function sendCommand(
  action: Action,
  command: Command,
  connection: ResolvedConnection,
  options: { readonly answers?: readonly FakeAnswer[]; readonly context?: Partial<ActionContext> } = {},
): Promise<SentJson> {
  const ports: Fakes = fakes();
  ports.http.answer(...(options.answers ?? []));
  const outcome = await action.execute(
    command,
    contextFor(action, ports, { connection, ...options.context }),
  );
  const request = ports.http.requests.at(-1);
  return {
    outcome: checkStated(action, outcome),
    requests: ports.http.requests,
    request,
    body: request?.body === undefined ? null : JSON.parse(request.body.toString()),
  };
}
