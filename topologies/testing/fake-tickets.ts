// What the in-memory ticket systems of tests share: answers that get lost, and outcomes of commands sent to them.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Action, ActionContext, ResolvedConnection } from '../domain/action/define-action.ts';
import type { Outcome } from '../domain/action/outcome.ts';
import { settleMs } from '../domain/action/ticket/run.ts';
import type { FakeClock } from '../ports/fakes/clock.ts';
import { type FakeAnswer, type FakeHttp, fakeHttp } from '../ports/fakes/http.ts';
import { HttpFailure, type HttpRequest } from '../ports/http.ts';
import { contextFor, type Fakes, fakes } from './action-fakes.ts';
import { checkStated } from './stated.ts';

export interface FakeTicketSystem {
  answer(request: HttpRequest): FakeAnswer;
  /** References of the tickets that exist, oldest first. */
  refs(): readonly string[];
  /** Comments of a ticket, oldest first. */
  comments(ref: string): readonly string[];
  close(ref: string): void;
  remove(ref: string): void;
}

/** How an answer gets lost after the system did its work. */
export const losses = {
  reset: () => new HttpFailure('reset', 'the connection broke', { sent: true }),
  timeout: () => new HttpFailure('timeout', 'no answer', { sent: true }),
  'bad gateway': () => 502,
  'gateway timeout': () => 504,
  conflict: () => 409,
} as const satisfies Record<string, () => FakeAnswer>;

export interface TicketWorld {
  readonly http: FakeHttp;
  readonly clock: FakeClock;
  /** The answer to the next request that writes gets lost this way, its effect does not. */
  loseNext(how: keyof typeof losses): void;
  /** One attempt; waits inside it pass at once. */
  attempt(command: Command, context?: Partial<ActionContext>): Promise<Outcome>;
}

export function ticketWorld(
  action: Action,
  connection: ResolvedConnection,
  system: Pick<FakeTicketSystem, 'answer'>,
  clock: FakeClock = fakes().clock,
): TicketWorld {
  let lost: keyof typeof losses | null = null;
  const http = fakeHttp((request) => {
    const answer = system.answer(request);
    if (lost === null || request.method === 'GET') return answer;
    const how = losses[lost];
    lost = null;
    return how();
  });
  return {
    http,
    clock,
    loseNext(how) {
      lost = how;
    },
    async attempt(command, context = {}) {
      const ports: Fakes = { ...fakes(), http, clock };
      const outcome = action.execute(command, contextFor(action, ports, { connection, ...context }));
      await clock.advance(settleMs);
      return checkStated(action, await outcome);
    },
  };
}

export const json = (status: number, body: unknown): FakeAnswer => ({ status, body: JSON.stringify(body) });
