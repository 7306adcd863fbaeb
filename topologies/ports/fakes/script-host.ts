// Scripts in memory: a host that knows what it has begun, answers from a script of answers, and stops runs when it is told to.
import { nothingCaptured } from '../../domain/script/output.ts';
import {
  type ScriptEnd,
  type ScriptHost,
  type ScriptHostCheckPort,
  ScriptHostFailure,
  type ScriptHostPort,
  type ScriptRun,
  type ScriptSignals,
} from '../script-host.ts';

export interface FakeScriptHost extends ScriptHostPort, ScriptHostCheckPort {
  /** Hosts that were greeted. */
  readonly greeted: readonly ScriptHost[];
  /** Runs that were begun, each once. */
  readonly begun: readonly { readonly host: ScriptHost; readonly run: ScriptRun }[];
  /** The next answers to calls: an end, parts of one, a failure, or `hang`: it runs until it is stopped. */
  answer(...answers: readonly FakeScriptAnswer[]): void;
  /** Runs that were broken off by a cancel. */
  readonly stopped: readonly string[];
}

export type FakeScriptAnswer = Partial<ScriptEnd> | ScriptHostFailure | 'hang';

export const scriptEnd = (over: Partial<ScriptEnd> = {}): ScriptEnd => ({
  exitCode: 0,
  signal: null,
  stdout: nothingCaptured,
  stderr: nothingCaptured,
  startedAt: 0,
  endedAt: 0,
  stopped: null,
  ...over,
});

interface Known {
  readonly end: Promise<ScriptEnd>;
  readonly stop: () => void;
}

export function fakeScriptHost(): FakeScriptHost {
  const begun: { host: ScriptHost; run: ScriptRun }[] = [];
  const runs = new Map<string, Known>();
  const greeted: ScriptHost[] = [];
  const stopped: string[] = [];
  const script: FakeScriptAnswer[] = [];

  function hanging(id: string): Known {
    let resolve: (end: ScriptEnd) => void = () => undefined;
    const end = new Promise<ScriptEnd>((done) => {
      resolve = done;
    });
    const stop = (): void => {
      stopped.push(id);
      resolve(scriptEnd({ exitCode: null, signal: 'SIGTERM', stopped: { by: 'cancel', killed: false } }));
    };
    return { end, stop };
  }

  /** The end, or nobody waits any more. */
  function awaited({ end, stop }: Known, { cancel, signal }: ScriptSignals): Promise<ScriptEnd> {
    if (cancel.aborted) stop();
    cancel.addEventListener('abort', stop, { once: true });
    const left = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () =>
        reject(new ScriptHostFailure('aborted', 'nobody waits any more', { begun: true })),
      ),
    );
    return Promise.race([end, left]);
  }

  return {
    begun,
    greeted,
    async greet(host) {
      const answer = script.shift();
      if (answer instanceof Error) throw answer;
      greeted.push(host);
    },
    stopped,
    answer(...answers) {
      script.push(...answers);
    },
    async run(host, run, signals) {
      const id = `${run.commandId}.${run.round}`;
      const known = runs.get(id);
      if (known !== undefined) return awaited(known, signals);
      if (run.askOnly)
        throw new ScriptHostFailure('unknown', 'the host does not know this run', { begun: true });
      const answer = script.shift() ?? {};
      if (answer instanceof Error && !answer.begun) throw answer;
      begun.push({ host, run });
      if (answer instanceof Error) throw answer;
      const next =
        answer === 'hang' ? hanging(id) : { end: Promise.resolve(scriptEnd(answer)), stop: () => undefined };
      runs.set(id, next);
      return awaited(next, signals);
    },
  };
}
