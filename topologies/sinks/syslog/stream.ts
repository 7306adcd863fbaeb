// Plain syslog over TCP or TLS, which acknowledges nothing: the end of a connection is the proof for all that went over it.
//
// Invariant: with proof `close` a batch counts as delivered only when, after it was written, we ended our side and the receiver then ended
// its own: it has read to the end. Every other end of a connection gives all of its batches back, so a loss shows as a repetition.
// Surprise: a connection takes no more a while before it is ended. A receiver that goes away on its own in that time is noticed; one that
// does so in the same moment as we end would look like the proof. RFC 9293 section 3.6; R. Gerhards, "On the (un)reliability of plain tcp
// syslog", 2008. With proof `window` age and later bytes are believed instead, for receivers that never end their side.
import type { Clock } from '../../ports/clock.ts';
import { type SyslogConnection, SyslogFailure } from '../../ports/syslog.ts';
import type { Cargo, Session, SessionHooks } from './lane.ts';

export interface StreamOptions {
  readonly proof: 'close' | 'window';
  /** Longest time without a proof, ms. */
  readonly proofMs: number;
  /** Most bytes without a proof. */
  readonly windowBytes: number;
  /** Most batches without a proof. */
  readonly mostCargos: number;
  /** Longest wait for room to write, and for the receiver's end, ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Rest before an end, ms: more than a round trip nearly everywhere. */
export const restMs = 200;

interface Sent {
  readonly cargo: Cargo;
  /** Bytes of the session up to the end of this body. */
  readonly end: number;
  readonly at: number;
}

export function streamSession(
  connection: SyslogConnection,
  hooks: SessionHooks,
  options: StreamOptions,
): Session {
  const { proof, proofMs, windowBytes, mostCargos, timeoutMs, clock } = options;
  const gone = new AbortController();
  let unproved: Sent[] = [];
  let bytes = 0;
  let retired = false;
  let watching = false;
  let patience = proofMs;
  let reason: SyslogFailure | null = null;

  const session: Session = {
    async send(cargo) {
      unproved.push({ cargo, end: bytes + cargo.body.length, at: clock.now() });
      bytes += cargo.body.length;
      await within(connection.write(cargo.body), 'the receiver takes no data');
      if (proof === 'window') believe();
      else if (bytes >= windowBytes || unproved.length >= mostCargos) void retire();
      void watch();
    },
    accepts: () => !retired && !gone.signal.aborted,
    hurry() {
      if (proof === 'close') void retire();
      else {
        patience = Math.min(patience, restMs);
        believe();
      }
    },
    destroy: () => connection.destroy(),
  };

  void connection.over.then((failure) => {
    gone.abort();
    const cargos = unproved.map(({ cargo }) => cargo);
    unproved = [];
    const why = reason ?? failure;
    if (why === null) for (const cargo of cargos) hooks.delivered(cargo);
    hooks.over(session, cargos, why);
  });

  /** Waits for `work`, or drops the connection when it takes too long. */
  async function within(work: Promise<unknown>, complaint: string): Promise<void> {
    const done = new AbortController();
    const late = clock.sleep(timeoutMs, AbortSignal.any([done.signal, gone.signal])).then(
      () => {
        reason = new SyslogFailure('timeout', `${complaint} for ${timeoutMs} ms`);
        connection.destroy();
      },
      () => undefined,
    );
    await Promise.race([work, connection.over, late]);
    done.abort();
  }

  async function retire(): Promise<void> {
    if (retired) return;
    retired = true;
    await clock.sleep(restMs, gone.signal).catch(() => undefined);
    if (gone.signal.aborted) return;
    connection.end();
    await within(connection.over, 'the receiver did not end its side');
  }

  /** Looks after the age of what is unproved. */
  async function watch(): Promise<void> {
    if (watching || retired) return;
    watching = true;
    while (unproved.length > 0 && !gone.signal.aborted) {
      const left = unproved[0]!.at + patience - clock.now();
      if (left > 0) await clock.sleep(Math.min(left, 1000), gone.signal).catch(() => undefined);
      else if (proof === 'window') believe();
      else {
        await retire();
        break;
      }
    }
    watching = false;
  }

  function believe(): void {
    while (unproved.length > 0 && !gone.signal.aborted) {
      const { cargo, end, at } = unproved[0]!;
      if (bytes - end < windowBytes && clock.now() - at < patience) return;
      unproved.shift();
      hooks.delivered(cargo);
    }
    if (unproved.length === 0) patience = proofMs;
  }

  return session;
}
