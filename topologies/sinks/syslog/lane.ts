// The way to one receiver: batches in their order, over connections that come and go, until each is proved delivered.
//
// Invariant: a batch is settled once: delivered when its session proved it, refused when the receiver named an event, at fault when the
// receiver cannot be used, aborted when the sink stops. Until then a lost session gives it back, and it is sent again before anything newer.
import { backoffMs, sinkBackoff } from '../../domain/sink/backoff.ts';
import type { BatchVerdict, ReceiverContext, SinkReceiver } from '../../domain/sink/define-sink.ts';
import { SyslogFailure } from '../../ports/syslog.ts';

/** One body on its way. */
export interface Cargo {
  /** Order of arrival. */
  readonly number: number;
  readonly body: Buffer;
  readonly events: number;
  /** Events from the start that the receiver has acknowledged one by one, and the bytes of their frames. */
  proved: { events: number; bytes: number };
  readonly settle: (verdict: BatchVerdict) => void;
}

/** One connection at work. */
export interface Session {
  /** Takes the cargo; resolves when it could take another. Never rejects. */
  send(cargo: Cargo): Promise<void>;
  /** Whether it takes more at all. */
  accepts(): boolean;
  /** Proves what it has as soon as it can. */
  hurry(): void;
  destroy(): void;
}

export interface SessionHooks {
  readonly delivered: (cargo: Cargo) => void;
  /** One event is refused for good. */
  readonly refused: (cargo: Cargo, index: number, detail: string) => void;
  /** The session is over. `cargos` are those without a proof; a failure of null means that there are none, and no harm. */
  readonly over: (session: Session, cargos: readonly Cargo[], failure: SyslogFailure | null) => void;
}

/** Connects. Rejects with SyslogFailure only. */
export type OpenSession = (hooks: SessionHooks) => Promise<Session>;

const faults: ReadonlySet<string> = new Set(['denied', 'dns', 'tls']);

export function createLane(open: OpenSession, context: ReceiverContext): SinkReceiver {
  const { clock, random, signal, onResent, onRetry } = context;
  const pending = new Set<Cargo>();
  const alive = new Set<Session>();
  let queue: Cargo[] = [];
  let session: Session | null = null;
  let numbers = 0;
  let hurried = -1;
  let failures = 0;
  let waitFirst = false;
  let pumping = false;

  function settle(cargo: Cargo, verdict: BatchVerdict): void {
    if (pending.delete(cargo)) cargo.settle(verdict);
  }

  function failed(failure: SyslogFailure, cargos: readonly Cargo[], events: number): void {
    failures += 1;
    waitFirst = true;
    const { failure: code, message: detail } = failure;
    queue = [...queue, ...cargos].sort((a, b) => a.number - b.number);
    if (faults.has(code)) {
      for (const cargo of queue.splice(0)) settle(cargo, { class: 'sink-fault', code, detail });
    } else if (!signal.aborted) onRetry({ code, detail, events });
  }

  const hooks: SessionHooks = {
    delivered(cargo) {
      failures = 0;
      settle(cargo, { class: 'delivered', slowDown: false });
    },
    refused(cargo, index, detail) {
      settle(cargo, { class: 'event-fault', code: 'refused', detail, index, prefixStored: true });
    },
    over(ended, cargos, failure) {
      alive.delete(ended);
      if (session === ended) session = null;
      // One that ended while nobody used it is no failure: the next batch opens another.
      if (failure === null || (cargos.length === 0 && queue.length === 0)) return;
      const events = cargos.reduce((sum, cargo) => sum + cargo.events - cargo.proved.events, 0);
      if (events > 0) onResent(events);
      failed(failure, cargos, events);
      void pump();
    },
  };

  async function connected(): Promise<Session | null> {
    if (session?.accepts() === true) return session;
    session = null;
    if (waitFirst) {
      waitFirst = false;
      await clock.sleep(backoffMs(failures, random(), null, sinkBackoff), signal).catch(() => undefined);
    }
    if (signal.aborted) return null;
    try {
      session = await open(hooks);
    } catch (error) {
      if (!(error instanceof SyslogFailure)) throw error;
      failed(error, [], 0);
      return null;
    }
    alive.add(session);
    if (signal.aborted) session.destroy();
    return session;
  }

  /** Sends what is queued, one batch after the other; one run at a time. */
  async function pump(): Promise<void> {
    if (pumping) return;
    pumping = true;
    try {
      while (queue.length > 0 && !signal.aborted) {
        const current = await connected();
        // Looked at again: it may have ended while it was awaited, and what it is given afterwards nobody gets back.
        const cargo = current?.accepts() === true ? queue.shift() : undefined;
        if (current === null || cargo === undefined) continue;
        await current.send(cargo);
        if (cargo.number <= hurried && !queue.some(({ number }) => number <= hurried)) current.hurry();
      }
    } catch (error) {
      // A defect: whoever waits is told, and the sink stands still.
      const detail = error instanceof Error ? error.message : String(error);
      for (const cargo of pending) settle(cargo, { class: 'sink-fault', code: 'bug', detail });
      queue = [];
    } finally {
      pumping = false;
    }
  }

  return {
    send(body, events) {
      return new Promise((resolve) => {
        const cargo = { number: numbers++, body, events, proved: { events: 0, bytes: 0 }, settle: resolve };
        pending.add(cargo);
        queue.push(cargo);
        void pump();
      });
    },
    async probe() {
      try {
        const nobody = (): void => undefined;
        const probed = await open({ delivered: nobody, refused: nobody, over: nobody });
        probed.destroy();
        return true;
      } catch {
        return false;
      }
    },
    hurry() {
      hurried = numbers - 1;
      for (const each of alive) each.hurry();
    },
    close() {
      for (const each of alive) each.destroy();
      queue = [];
      for (const cargo of pending)
        settle(cargo, {
          class: 'transient',
          code: 'aborted',
          detail: 'the sink stops',
          afterMs: null,
          slowDown: false,
          accepted: cargo.proved.events,
        });
    },
  };
}
