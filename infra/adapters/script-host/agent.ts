// Scripts over the agent of a host: the run is handed over once, then its end is asked for until it has come.
//
// Invariant: a request that may have arrived and was not answered leaves the run `begun`; only a refusal by the agent itself, or a
// failure before anything was sent, says that it is not.
import { setTimeout as delay } from 'node:timers/promises';
import {
  maxRequestBytes,
  type RunRequest,
  type RunState,
  readRunState,
  runId,
} from '@tocsin/topologies/domain/script/protocol.ts';
import {
  HttpFailure,
  type HttpPort,
  type HttpRequest,
  type HttpResponse,
} from '@tocsin/topologies/ports/http.ts';
import {
  type AgentHost,
  type ScriptEnd,
  type ScriptHost,
  ScriptHostFailure,
  type ScriptHostFailureClass,
  type ScriptRun,
  type ScriptSignals,
} from '@tocsin/topologies/ports/script-host.ts';

export interface AgentClientSettings {
  readonly http: HttpPort;
  /** How long one question waits at the agent for the end, ms. */
  readonly waitMs: number;
  /** How long the agent may be away while a run is known to be under way, ms; then whoever asked tries again later. */
  readonly awayMs: number;
  /** After a cancel its end is waited for so long, ms: more than the agent's time between TERM and KILL. */
  readonly cancelMs: number;
}

type Host = ScriptHost & AgentHost;

/** See ScriptHostPort. */
export async function runOnAgent(
  host: Host,
  run: ScriptRun,
  { cancel, signal }: ScriptSignals,
  settings: AgentClientSettings,
): Promise<ScriptEnd> {
  const { waitMs, awayMs, cancelMs } = settings;
  const id = runId(run);
  const ask = (request: Pick<HttpRequest, 'method' | 'body'> & { path: string }, until: AbortSignal) =>
    send(settings.http, host, request, until, waitMs);
  let state = await begin();
  let awaySince: number | null = null;
  let cancelledAt: number | null = null;
  for (;;) {
    if (state?.state === 'ended') return state.end;
    if (state?.state === 'uncertain')
      throw new ScriptHostFailure('uncertain', 'the agent has begun it and does not know how it ended', {
        begun: true,
      });
    if (signal.aborted) throw aborted();
    if (cancelledAt !== null && performance.now() - cancelledAt > cancelMs)
      throw new ScriptHostFailure('timeout', 'the agent does not say that it was stopped', { begun: true });
    const cancelNow: boolean = cancel.aborted && cancelledAt === null;
    // A cancel ends a question that waits, so that it is told at once.
    const until = cancelledAt === null && !cancelNow ? AbortSignal.any([signal, cancel]) : signal;
    const wait = cancelledAt === null ? waitMs : Math.min(waitMs, 1_000);
    try {
      state = cancelNow
        ? await known(ask({ method: 'POST', path: `/${id}/cancel`, body: '{}' }, until))
        : await known(ask({ method: 'GET', path: `/${id}?wait_ms=${wait}` }, until));
      if (cancelNow) cancelledAt = performance.now();
      awaySince = null;
    } catch (error) {
      const failure = failureOf(error, true);
      if (failure.failure === 'aborted' && !signal.aborted) continue;
      if (!isPassing(failure.failure)) throw failure;
      awaySince ??= performance.now();
      if (performance.now() - awaySince > awayMs) throw failure;
      await delay(500, undefined, { signal }).catch(() => undefined);
    }
  }

  async function begin(): Promise<RunState | null> {
    if (run.askOnly) return known(ask({ method: 'GET', path: `/${id}` }, signal), run.askOnly);
    const body: RunRequest = {
      command_id: run.commandId,
      round: run.round,
      call: run.call,
      environment: run.environment,
      stdin: run.stdin,
      time_limit_ms: run.timeLimitMs,
    };
    try {
      return stateOf(await ask({ method: 'POST', path: '', body: JSON.stringify(body) }, signal), false);
    } catch (error) {
      throw failureOf(error, false);
    }
  }

  /** The answer about a run that may be known; a run that is not known any more has left nothing to ask for. */
  async function known(answer: Promise<HttpResponse>, asked = false): Promise<RunState> {
    try {
      return stateOf(await answer, true);
    } catch (error) {
      throw asked ? failureOf(error, true) : error;
    }
  }
}

/** Asks for a run that nobody can have begun: only an agent that lets us in says that it does not know it. Rejects with ScriptHostFailure only. */
export async function greetAgent(host: Host, signal: AbortSignal, http: HttpPort): Promise<void> {
  const path = `/${runId({ commandId: '0'.repeat(32), round: 1 })}`;
  try {
    stateOf(await send(http, host, { method: 'GET', path }, signal, 0), true);
  } catch (error) {
    const failure = failureOf(error, false);
    if (failure.failure !== 'unknown') throw failure;
  }
}

const isPassing = (failure: ScriptHostFailureClass): boolean =>
  ['connect', 'timeout', 'reset', 'protocol', 'dns', 'busy'].includes(failure);

function send(
  http: HttpPort,
  host: Host,
  { path, method, body }: Pick<HttpRequest, 'method' | 'body'> & { readonly path: string },
  signal: AbortSignal,
  waitMs: number,
): Promise<HttpResponse> {
  return http.send({
    method,
    url: `${host.origin}/v1/runs${path}`,
    headers: [
      ['accept', 'application/json'],
      ...(body === undefined ? [] : [['content-type', 'application/json'] as const]),
      ...host.authorization,
    ],
    ...(body === undefined ? {} : { body }),
    timeoutMs: host.timeoutMs + (path.includes('wait_ms') ? waitMs : 0),
    allowCidrs: host.allowCidrs,
    maxResponseBytes: maxRequestBytes,
    signal,
    ...(host.tls === undefined ? {} : { tls: host.tls }),
  });
}

/** `begun`: what an answer without meaning leaves possible. Throws ScriptHostFailure. */
function stateOf(response: HttpResponse, begun: boolean): RunState {
  const { status, body } = response;
  if (status === 200) {
    const state = readRunState(body);
    if (state !== null) return state;
    throw new ScriptHostFailure('protocol', 'the answer is not one of an agent', { begun: true });
  }
  const said = detailOf(body);
  const why = `the agent answered ${status}${said === '' ? '' : `: ${said}`}`;
  if (status === 401 || status === 403) throw new ScriptHostFailure('auth', why, { begun });
  if (status === 404 && begun) throw new ScriptHostFailure('unknown', why, { begun });
  if (status === 429 || status === 503) throw new ScriptHostFailure('busy', why, { begun });
  if (status >= 400 && status < 500) throw new ScriptHostFailure('refused', why, { begun });
  throw new ScriptHostFailure('protocol', why, { begun: true });
}

function detailOf(body: Buffer): string {
  try {
    const { detail } = JSON.parse(body.toString('utf8')) as { detail?: unknown };
    return typeof detail === 'string' ? detail.slice(0, 500) : '';
  } catch {
    return '';
  }
}

function aborted(): ScriptHostFailure {
  return new ScriptHostFailure('aborted', 'nobody waits for its end here any more', { begun: true });
}

/** `begun`: the run may have been begun by an earlier request. Anything but failures of HTTP and of ours is a bug and stays one. */
function failureOf(error: unknown, begun: boolean): ScriptHostFailure {
  if (error instanceof ScriptHostFailure) return error;
  if (!(error instanceof HttpFailure)) throw error;
  const { failure, message, sent } = error;
  return new ScriptHostFailure(failure, message, { begun: begun || sent, cause: error });
}
