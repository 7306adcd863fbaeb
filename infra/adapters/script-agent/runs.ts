// The runs of an agent: begun at most once, watched to their end, stopped when that is asked for.
//
// Invariant: a run is claimed in the journal before its process starts; whoever asks for it later is told its state and begins nothing.
import {
  type Catalogue,
  environmentProblem,
  type ResolvedCall,
  resolveCall,
  timeLimitMs,
} from '@tocsin/topologies/domain/script/catalogue.ts';
import { keptOutput } from '@tocsin/topologies/domain/script/output.ts';
import { type RunRequest, type RunState, runId } from '@tocsin/topologies/domain/script/protocol.ts';
import { wordsOf } from '@tocsin/topologies/domain/script/target.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { ScriptEnd } from '@tocsin/topologies/ports/script-host.ts';
import { createScrubber } from '../logger/scrub.ts';
import type { AgentConfig, HostScript, HostUser } from './config.ts';
import type { Journal } from './journal.ts';
import { kernelStart, runProcess, stopGroup } from './process.ts';
import { checkScriptFile } from './script-file.ts';

/** Nothing was begun; `status` is that of HTTP. */
export interface Refusal {
  readonly status: 409 | 422 | 503;
  readonly detail: string;
}

export interface Runs {
  begin(request: RunRequest): RunState | Refusal;
  /** null: never begun here. Waits for the end, at most `waitMs`. */
  state(id: string, waitMs?: number): Promise<RunState | null>;
  /** Stops it; a run that an earlier agent has left behind as well. Resolves at once. */
  cancel(id: string): Promise<RunState | null>;
  /** Runs that are under way. */
  readonly live: number;
  /** Stops all runs, and waits until their ends are in the journal. */
  stop(): Promise<void>;
}

interface Live {
  readonly name: string;
  readonly startedAt: number;
  readonly cancel: AbortController;
  /** Resolves when the end is in the journal. */
  readonly done: Promise<void>;
}

/** Bytes beyond the output that is kept, so that a secret at its end is seen whole. */
const scrubMargin = 1_024;

export function createRuns(options: {
  readonly config: AgentConfig;
  readonly journal: Journal;
  readonly logger: Logger;
}): Runs {
  const { config, journal, logger } = options;
  const live = new Map<string, Live>();
  const scrubber = createScrubber();
  for (const token of config.tokens) scrubber.register(token);
  const catalogue: Catalogue<HostScript> = { scripts: config.scripts, allowShell: config.allowShell };

  function known(id: string): RunState | null {
    const running = live.get(id);
    if (running !== undefined) return { state: 'running', started_at: running.startedAt };
    const entry = journal.find(id);
    if (entry === null) return null;
    const { end, claimedAt } = entry;
    return end === null ? { state: 'uncertain', started_at: claimedAt } : { state: 'ended', end };
  }

  /** Why there is no room for one more, or for this one now. */
  function roomProblem(call: ResolvedCall<HostScript>, commandId: string): string | null {
    if (live.size >= config.concurrency) return `${config.concurrency} scripts run already`;
    const { name, entry } = call;
    const most = entry?.concurrency ?? Number.POSITIVE_INFINITY;
    const same = [...live.values()].filter((each) => each.name === name).length;
    if (same >= most) return `${name} runs ${same} times already`;
    const earlier = [...live.keys()].find((id) => id.startsWith(`${commandId}.`));
    return earlier === undefined ? null : 'an earlier round of this command still runs';
  }

  function begin(request: RunRequest): RunState | Refusal {
    const { command_id: commandId, round, environment } = request;
    const id = runId({ commandId, round });
    const before = known(id);
    if (before !== null) return before;
    if (journal.rounds(commandId).some((each) => each > round))
      return { status: 409, detail: 'a later round of this command was begun' };
    const call = resolveCall(request.call, catalogue);
    if ('refused' in call) return { status: 422, detail: call.refused };
    const refused = environmentProblem(call.entry, environment);
    if (refused !== null) return { status: 422, detail: refused };
    const program = programOf(call);
    if ('refused' in program) return { status: 422, detail: program.refused };
    const full = roomProblem(call, commandId);
    if (full !== null) return { status: 503, detail: full };
    if (!journal.claim(id, { at: Date.now(), script: call.name ?? 'shell' }))
      return known(id) ?? { status: 409, detail: 'somebody else begins this run' };
    const startedAt = Date.now();
    const cancel = new AbortController();
    const done = carryOut(id, request, call, program.argv, cancel.signal).finally(() => live.delete(id));
    live.set(id, { name: call.name ?? 'shell', startedAt, cancel, done });
    return { state: 'running', started_at: startedAt };
  }

  function programOf(
    call: ResolvedCall<HostScript>,
  ): { readonly argv: readonly string[] } | { readonly refused: string } {
    const { entry } = call;
    if (entry === null) return { argv: wordsOf(call) };
    const { path, sha256 } = entry;
    const file = checkScriptFile({
      path,
      folders: config.folders,
      ...(sha256 === undefined ? {} : { sha256 }),
    });
    // The file itself, so that a link which is changed now leads nowhere else.
    return 'refused' in file ? file : { argv: wordsOf({ ...call, entry: { ...entry, path: file.file } }) };
  }

  async function carryOut(
    id: string,
    { command_id, environment, stdin, time_limit_ms }: RunRequest,
    { name, entry }: ResolvedCall<HostScript>,
    argv: readonly string[],
    cancel: AbortSignal,
  ): Promise<void> {
    const user: HostUser | null = entry === null ? config.shellUser : entry.hostUser;
    logger.info('script begins', { run: id, script: name ?? 'shell' });
    try {
      const end = await runProcess({
        argv,
        environment: {
          PATH: config.path,
          LANG: 'C.UTF-8',
          HOME: user?.home ?? config.home,
          TOCSIN_COMMAND_ID: command_id,
          ...environment,
        },
        folder: entry?.working_directory ?? '/',
        user,
        stdin: entry?.stdin === false ? null : stdin,
        timeLimitMs: timeLimitMs(entry, time_limit_ms),
        outputBytes: config.outputBytes + scrubMargin,
        killAfterMs: config.killAfterMs,
        cancel,
        onStarted: (mark) => journal.started(id, mark),
      });
      journal.ended(id, withoutSecrets(end));
      const { exitCode, signal, stopped } = end;
      logger.info('script ended', { run: id, exit_code: exitCode, signal, stopped: stopped?.by ?? null });
    } catch (error) {
      // Claimed and not ended: uncertain, which is what it is.
      logger.error('the end of a script could not be recorded', { run: id, error: String(error) });
    }
  }

  function withoutSecrets(end: ScriptEnd): ScriptEnd {
    const kept = (captured: ScriptEnd['stdout']) =>
      keptOutput(captured, scrubber.scrub, config.tokens, config.outputBytes);
    return { ...end, stdout: kept(end.stdout), stderr: kept(end.stderr) };
  }

  return {
    begin,
    async state(id, waitMs = 0) {
      const running = live.get(id);
      if (running !== undefined && waitMs > 0) {
        const timer = new Promise<void>((resolve) => setTimeout(resolve, waitMs).unref());
        await Promise.race([running.done, timer]);
      }
      return known(id);
    },
    async cancel(id) {
      const running = live.get(id);
      if (running !== undefined) running.cancel.abort();
      else {
        const { process: mark = null, end = null } = journal.find(id) ?? {};
        if (mark !== null && end === null && kernelStart(mark.pid) === mark.startedAt) {
          logger.warn('a script that an earlier agent left behind is stopped', { run: id });
          void stopGroup(mark.pid, config.killAfterMs);
        }
      }
      return known(id);
    },
    get live() {
      return live.size;
    },
    async stop() {
      for (const { cancel } of live.values()) cancel.abort();
      await Promise.all([...live.values()].map(({ done }) => done));
    },
  };
}
