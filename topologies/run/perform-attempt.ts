// One attempt of a command within its time: `timeout_ms` of the command ends what the action waits for.
//
// Invariant: an attempt whose time is over is a timeout, and uncertain once anything outside may have been reached; a service
// that stops is no timeout.
//
// Surprise: an action that does not heed the signal is left behind a moment later, and whatever it says then is not heard.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Action, ActionContext, ActionPorts } from '../domain/action/define-action.ts';
import type { Failed, Outcome } from '../domain/action/outcome.ts';
import type { Clock } from '../ports/clock.ts';

/** How long an action has to say how far it came, after its time is over, ms. */
export const graceMs = 250;

/** Rejects with what the action throws. */
export async function executeInTime(
  action: Pick<Action, 'execute'>,
  command: Command,
  context: ActionContext,
  clock: Clock,
): Promise<Outcome> {
  const { timeout_ms: timeoutMs } = command;
  if (timeoutMs === undefined) return action.execute(command, context);
  const over = new AbortController();
  const ended = new AbortController();
  const deadline = clock.now() + timeoutMs;
  let reached = false;
  const ports = watchedPorts(context.ports, {
    onCall: () => {
      reached = true;
    },
    left: () => Math.max(1, deadline - clock.now()),
  });
  const timedOut = (uncertain: boolean): Failed => ({
    status: 'failed',
    code: 'timeout',
    retry: 'backoff',
    detail: `the attempt did not end within ${timeoutMs} ms`,
    ...(uncertain ? { uncertain } : {}),
  });
  const late = clock.sleep(timeoutMs, ended.signal).then(() => {
    over.abort(new Error('the time of the attempt is over'));
    return clock.sleep(graceMs, ended.signal);
  });
  const isLate = (): boolean => over.signal.aborted && !context.signal.aborted;
  try {
    const signal = AbortSignal.any([context.signal, over.signal]);
    const outcome = await Promise.race([action.execute(command, { ...context, ports, signal }), late]);
    if (outcome === undefined) return timedOut(reached);
    if (outcome.status === 'failed' && outcome.code === 'aborted' && isLate())
      return timedOut(outcome.uncertain === true);
    return outcome;
  } catch (error) {
    if (isLate()) return timedOut(reached);
    throw error;
  } finally {
    late.catch(() => undefined);
    ended.abort(new Error('the attempt ended'));
  }
}

interface Watch {
  readonly onCall: () => void;
  /** Of the time of the attempt, ms. */
  readonly left: () => number;
}

/** Ports that tell of every call, and whose own limits are not longer than what is left. */
function watchedPorts(ports: Partial<ActionPorts>, { onCall, left }: Watch): Partial<ActionPorts> {
  const watched = Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, watchedPort(port, onCall)]),
  ) as Partial<ActionPorts>;
  const { http, mail } = watched;
  const within = <T extends { readonly timeoutMs: number }>(limits: T): T => ({
    ...limits,
    timeoutMs: Math.min(limits.timeoutMs, left()),
  });
  return {
    ...watched,
    ...(http === undefined ? {} : { http: { send: (request) => http.send(within(request)) } }),
    ...(mail === undefined
      ? {}
      : { mail: { send: (server, message) => mail.send(within(server), message) } }),
  };
}

function watchedPort<T extends object>(port: T, onCall: () => void): T {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]): unknown => {
        onCall();
        return Reflect.apply(member, target, given);
      };
    },
  });
}
