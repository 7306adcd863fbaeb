// RELP, the one syslog transport with acknowledgements: every message is a command, and the receiver answers each of them.
//
// Invariant: a batch is delivered when each of its messages was answered with 200; after a loss only unanswered ones are sent again.
// Surprise: a frame `TXNR syslog LEN DATA` is our octet-counted message `LEN DATA` with a number in front and a line feed behind.
// Source: https://github.com/rsyslog/librelp, doc/relp.md.
import type { Clock } from '../../ports/clock.ts';
import { type SyslogConnection, SyslogFailure } from '../../ports/syslog.ts';
import { countedEnd } from './counted.ts';
import type { Cargo, Session, SessionHooks } from './lane.ts';
import { createRelpReader, lastNumber, type RelpFrame } from './relp-reader.ts';

export interface RelpOptions {
  /** Longest wait for an answer, ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export type Connect = (onData: (bytes: Buffer) => void) => Promise<SyslogConnection>;

/** Most commands without an answer. */
export const relpWindow = 1024;
const farewellMs = 1_000;
const lineFeed = Buffer.from('\n');
// Version 0 is what librelp itself speaks and answers.
const offers = 'relp_version=0\nrelp_software=tocsin\ncommands=syslog';

interface Command {
  readonly cargo: Cargo;
  readonly index: number;
  /** Position in the body after the message. */
  readonly end: number;
  answer: 'none' | 'stored' | 'refused';
  detail: string;
}

/** Opens a RELP session. Rejects with SyslogFailure: that of `connect`, or `protocol` when the receiver does not take syslog over RELP. */
export async function relpSession(
  connect: Connect,
  hooks: SessionHooks,
  { timeoutMs, clock }: RelpOptions,
): Promise<Session> {
  const gone = new AbortController();
  // Batches that are not settled, and their unanswered commands in the order sent.
  const held = new Set<Cargo>();
  const commands: Command[] = [];
  let next = 1;
  let oldest = 1;
  let reason: SyslogFailure | null = null;
  let greeted: (greeting: RelpFrame) => void = () => undefined;
  let open = false;
  let wakeWriter = (): void => undefined;
  let progress = clock.now();
  let watching = false;

  const connection = await connect(
    createRelpReader(onFrame, (complaint) => drop(new SyslogFailure('protocol', complaint))),
  );
  const greeting = new Promise<RelpFrame>((resolve) => {
    greeted = resolve;
  });

  function drop(failure: SyslogFailure): void {
    reason ??= failure;
    connection.destroy();
  }

  function takeNumber(): number {
    const taken = next;
    next = after(taken);
    return taken;
  }

  function onFrame(frame: RelpFrame): void {
    if (frame.command === 'serverclose') drop(new SyslogFailure('ended', 'the receiver closes'));
    else if (frame.command !== 'rsp') drop(new SyslogFailure('protocol', `unexpected ${frame.command}`));
    else if (!open) greeted(frame);
    else onAnswer(frame);
  }

  function onAnswer({ number, code, detail }: RelpFrame): void {
    const command = commands[(number - oldest + lastNumber) % lastNumber];
    if (command === undefined || command.answer !== 'none') {
      drop(new SyslogFailure('protocol', `answer to ${number}, which is not open`));
      return;
    }
    progress = clock.now();
    command.answer = code === 200 ? 'stored' : 'refused';
    command.detail = detail;
    let answered = 0;
    while (answered < commands.length && commands[answered]!.answer !== 'none') settle(commands[answered++]!);
    commands.splice(0, answered);
    for (let k = 0; k < answered; k++) oldest = after(oldest);
    wakeWriter();
  }

  function settle({ cargo, index, end, answer, detail }: Command): void {
    if (!held.has(cargo)) return;
    if (answer === 'refused') {
      held.delete(cargo);
      hooks.refused(cargo, index, `RELP answer ${detail}`);
      return;
    }
    cargo.proved = { events: index + 1, bytes: end };
    if (index + 1 < cargo.events) return;
    held.delete(cargo);
    hooks.delivered(cargo);
  }

  const session: Session = {
    async send(cargo) {
      held.add(cargo);
      let { events: index, bytes: at } = cargo.proved;
      while (index < cargo.events && held.has(cargo) && !gone.signal.aborted) {
        const room = Math.min(relpWindow - commands.length, cargo.events - index);
        if (room <= 0) {
          await Promise.race([new Promise<void>((resolve) => (wakeWriter = resolve)), connection.over]);
          continue;
        }
        if (commands.length === 0) progress = clock.now();
        const pieces: Buffer[] = [];
        for (let k = 0; k < room; k++, index++) {
          const end = countedEnd(cargo.body, at);
          commands.push({ cargo, index, end, answer: 'none', detail: '' });
          pieces.push(Buffer.from(`${takeNumber()} syslog `), cargo.body.subarray(at, end), lineFeed);
          at = end;
        }
        void watch();
        await Promise.race([connection.write(Buffer.concat(pieces)), connection.over]);
      }
    },
    accepts: () => !gone.signal.aborted,
    hurry: () => undefined,
    destroy() {
      // Told, not just left: rsyslog notes sessions that break off.
      void connection.write(Buffer.from(`${takeNumber()} close 0\n`));
      connection.end();
      clock.sleep(farewellMs, gone.signal).then(
        () => connection.destroy(),
        () => undefined,
      );
    },
  };

  /** Drops the connection when nothing is answered for too long. */
  async function watch(): Promise<void> {
    if (watching) return;
    watching = true;
    while (commands.length > 0 && !gone.signal.aborted) {
      const left = progress + timeoutMs - clock.now();
      if (left <= 0) return drop(new SyslogFailure('timeout', `no answer for ${timeoutMs} ms`));
      await clock.sleep(left, gone.signal).catch(() => undefined);
    }
    watching = false;
  }

  async function greet(): Promise<void> {
    const waited = new AbortController();
    const late = clock.sleep(timeoutMs, waited.signal).then(
      () => drop(new SyslogFailure('timeout', `no answer to open for ${timeoutMs} ms`)),
      () => undefined,
    );
    void connection.write(Buffer.from(`${takeNumber()} open ${offers.length} ${offers}\n`));
    const answer = await Promise.race([greeting, connection.over, late]);
    waited.abort();
    if (answer === null || answer === undefined || answer instanceof SyslogFailure)
      throw reason ?? answer ?? new SyslogFailure('ended', 'the receiver ended without an answer to open');
    if (answer.code === 200 && /^commands=.*\bsyslog\b/m.test(answer.text)) return;
    connection.destroy();
    throw new SyslogFailure('protocol', `the receiver does not take syslog over RELP: ${answer.detail}`);
  }

  await greet();
  oldest = next;
  open = true;
  void connection.over.then((failure) => {
    gone.abort();
    wakeWriter();
    const cargos = [...held];
    held.clear();
    const ended = cargos.length > 0 ? new SyslogFailure('ended', 'the receiver ended the session') : null;
    hooks.over(session, cargos, reason ?? failure ?? ended);
  });
  return session;
}

function after(number: number): number {
  return number === lastNumber ? 1 : number + 1;
}
