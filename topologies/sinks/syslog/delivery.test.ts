// What counts as delivered over TCP, RELP and UDP, whatever the receiver does, with a clock that stands still.
import { describe, expect, it } from 'vitest';
import type { BatchVerdict, ReceiverContext, SinkReceiver } from '../../domain/sink/define-sink.ts';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { type FakeSyslog, type FakeSyslogConnection, fakeSyslog } from '../../ports/fakes/syslog.ts';
import { SyslogFailure } from '../../ports/syslog.ts';
import { syslogConnection } from '../../testing/fixtures.ts';
import { host, librelp } from './kit.ts';
import type { SyslogParams } from './manifest.ts';
import { relpWindow } from './relp.ts';
import { syslog } from './sink.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, k) => from + k);
const bodyOf = (numbers: readonly number[]): Buffer =>
  Buffer.from(numbers.map((n) => `${`m${n};`.length} m${n};`).join(''));
const numbersIn = (bytes: Buffer): number[] =>
  [...bytes.toString().matchAll(/m(\d+);/g)].map(([, n]) => Number(n));

function setup(
  protocol: 'tcp' | 'relp' | 'udp',
  params: SyslogParams = {},
  context: Partial<ReceiverContext> = {},
) {
  const port: FakeSyslog = fakeSyslog();
  const clock = fakeClock();
  const stopping = new AbortController();
  const retries: string[] = [];
  let resent = 0;
  const receiver: SinkReceiver = syslog
    .open({ ...params }, syslogConnection({ protocol, port: 514 }), host)
    .receiver(
      { syslog: port },
      {
        clock,
        random: () => 0.5,
        signal: stopping.signal,
        inFlight: 8,
        onResent: (events) => {
          resent += events;
        },
        onRetry: ({ code }) => retries.push(code),
        ...context,
      },
    );
  const verdicts: (BatchVerdict | undefined)[] = [];
  /** Sends a batch of events; its verdict appears in `verdicts`. */
  function send(...numbers: number[]): void {
    const at = verdicts.push(undefined) - 1;
    void receiver.send(bodyOf(numbers), numbers.length).then((verdict) => {
      verdicts[at] = verdict;
    });
  }
  const classes = (): (string | undefined)[] => verdicts.map((verdict) => verdict?.class);
  const stop = (): void => {
    stopping.abort();
    receiver.close?.();
  };
  return { port, clock, receiver, send, verdicts, classes, retries, resent: () => resent, stop };
}

describe('B47g: over TCP', () => {
  it('nothing is delivered before the receiver has ended its side after ours', async () => {
    const { port, clock, send, classes } = setup('tcp');
    port.polite = false;
    send(1, 2);
    send(3);
    await clock.advance(9_999);
    expect(numbersIn(port.connections[0]!.received())).toEqual([1, 2, 3]);
    expect(port.connections[0]!.ended()).toBe(false);
    await clock.advance(1);
    expect(port.connections[0]!.ended()).toBe(false);
    await clock.advance(200);
    expect(port.connections[0]!.ended()).toBe(true);
    expect(classes()).toEqual([undefined, undefined]);
    port.connections[0]!.end();
    await clock.advance(0);
    expect(classes()).toEqual(['delivered', 'delivered']);
    expect(port.connections).toHaveLength(1);
  });

  it('goes on over the next connection while the last one is being proved', async () => {
    const { port, clock, send, classes } = setup('tcp', { window_bytes: 65_536 });
    port.polite = false;
    for (const n of range(0, 6)) send(n);
    await clock.advance(0);
    // Half of eight batches in flight.
    expect(port.connections.map((each) => numbersIn(each.received()))).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ]);
    await clock.advance(200);
    port.connections[0]!.end();
    await clock.advance(0);
    expect(classes()).toEqual(['delivered', 'delivered', 'delivered', 'delivered', undefined, undefined]);
  });

  it('ends a connection that carries the window', async () => {
    const { port, clock, receiver } = setup('tcp', { window_bytes: 65_536 });
    void receiver.send(Buffer.alloc(65_536, 'x'), 1);
    await clock.advance(200);
    expect(port.connections[0]!.ended()).toBe(true);
  });

  it.each([
    ['breaks', (connection: FakeSyslogConnection) => connection.break()],
    ['ends on its own', (connection: FakeSyslogConnection) => connection.end()],
  ])('a receiver that %s gets everything again, in order, and newer ones after it', async (_, act) => {
    const { port, clock, send, classes, retries, resent } = setup('tcp');
    send(1);
    send(2);
    await clock.advance(0);
    act(port.connections[0]!);
    send(3);
    await clock.advance(500);
    expect(numbersIn(port.connections[1]!.received())).toEqual([1, 2, 3]);
    expect(classes()).toEqual([undefined, undefined, undefined]);
    await clock.advance(10_200);
    expect(classes()).toEqual(['delivered', 'delivered', 'delivered']);
    expect(retries).toHaveLength(1);
    expect(resent()).toBe(2);
  });

  it('S01, S04: a loss between our end and that of the receiver is a loss', async () => {
    const { port, clock, send, classes } = setup('tcp');
    port.polite = false;
    send(1);
    await clock.advance(10_200);
    expect(port.connections[0]!.ended()).toBe(true);
    port.connections[0]!.break();
    await clock.advance(500);
    expect(classes()).toEqual([undefined]);
    expect(numbersIn(port.connections[1]!.received())).toEqual([1]);
  });

  it('two losses at once come back in the order of their batches', async () => {
    const { port, clock, send } = setup('tcp');
    port.polite = false;
    for (const n of range(0, 6)) send(n);
    await clock.advance(0);
    port.connections[1]!.break();
    await clock.advance(0);
    port.connections[0]!.break();
    await clock.advance(2_000);
    expect(port.connections.slice(2).flatMap((each) => numbersIn(each.received()))).toEqual(range(0, 6));
  });

  it('S03: a receiver that never ends its side is given up after the timeout, for ever again', async () => {
    const { port, clock, send, classes, retries } = setup('tcp');
    port.polite = false;
    send(1);
    await clock.advance(10_200 + 30_000);
    expect(retries).toEqual(['timeout']);
    expect(port.connections[0]!.isOver()).toBe(true);
    expect(classes()).toEqual([undefined]);
  });

  it('S02: a receiver that reads nothing is given up after the timeout', async () => {
    const { port, clock, send, retries } = setup('tcp');
    port.full = true;
    send(1);
    send(2);
    await clock.advance(29_999);
    expect(numbersIn(port.connections[0]!.received())).toEqual([1]);
    expect(retries).toEqual([]);
    await clock.advance(1);
    expect(retries).toEqual(['timeout']);
  });

  it('waits longer from failure to failure, and less after a delivery', async () => {
    const { port, clock, send, retries } = setup('tcp');
    port.failure = new SyslogFailure('connect', 'ECONNREFUSED');
    send(1);
    await clock.advance(0);
    const counts = [];
    for (const ms of [250, 500, 1000, 2000]) {
      await clock.advance(ms - 1);
      counts.push(retries.length);
      await clock.advance(1);
    }
    expect(counts).toEqual([1, 2, 3, 4]);
    port.failure = null;
    await clock.advance(60_000);
    send(2);
    await clock.advance(0);
    port.connections.at(-1)!.break();
    await clock.advance(250);
    expect(numbersIn(port.connections.at(-1)!.received())).toEqual([2]);
  });

  it.each(['denied', 'dns', 'tls'] as const)(
    '%s is a fault of the sink, not of the moment',
    async (failure) => {
      const { port, clock, receiver, send, verdicts, retries } = setup('tcp');
      port.failure = new SyslogFailure(failure, 'why');
      send(1);
      send(2);
      await clock.advance(0);
      expect(verdicts).toEqual([
        { class: 'sink-fault', code: failure, detail: 'why' },
        { class: 'sink-fault', code: failure, detail: 'why' },
      ]);
      expect(retries).toEqual([]);
      expect(await receiver.probe()).toBe(false);
      port.failure = null;
      expect(await receiver.probe()).toBe(true);
    },
  );

  it('S05: a certificate that the receiver refuses late is a fault of the sink too', async () => {
    const { port, clock, send, classes } = setup('tcp');
    send(1);
    await clock.advance(0);
    port.connections[0]!.break(new SyslogFailure('tls', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'));
    await clock.advance(0);
    expect(classes()).toEqual(['sink-fault']);
  });

  it('hurries when somebody waits', async () => {
    const { clock, receiver, send, classes } = setup('tcp');
    send(1);
    await clock.advance(0);
    receiver.hurry?.();
    await clock.advance(199);
    expect(classes()).toEqual([undefined]);
    await clock.advance(1);
    expect(classes()).toEqual(['delivered']);
  });

  it('stops at once: what is not proved is not delivered', async () => {
    const { clock, port, send, classes, verdicts, stop } = setup('tcp');
    send(1);
    await clock.advance(0);
    send(2);
    stop();
    await clock.advance(0);
    expect(classes()).toEqual(['transient', 'transient']);
    expect(verdicts[0]).toMatchObject({ code: 'aborted', accepted: 0 });
    expect(port.connections[0]!.isOver()).toBe(true);
    await clock.advance(60_000);
    expect(port.connections).toHaveLength(1);
  });

  describe('B47g: with proof: window', () => {
    const params = { proof: 'window', window_bytes: 65_536, proof_ms: 10_000 } as const;

    it('believes what is old enough, and never ends the connection', async () => {
      const { port, clock, send, classes } = setup('tcp', params);
      send(1);
      await clock.advance(9_999);
      expect(classes()).toEqual([undefined]);
      await clock.advance(1);
      expect(classes()).toEqual(['delivered']);
      send(2);
      await clock.advance(10_000);
      expect(classes()).toEqual(['delivered', 'delivered']);
      expect(port.connections.map((each) => each.ended())).toEqual([false]);
    });

    it('believes what has the window behind it, and sends the rest again after a loss', async () => {
      const { port, clock, receiver, send, classes } = setup('tcp', params);
      send(1);
      await clock.advance(0);
      void receiver.send(Buffer.alloc(65_536, 'x'), 1);
      await clock.advance(0);
      expect(classes()).toEqual(['delivered']);
      port.connections[0]!.break();
      await clock.advance(500);
      expect(port.connections[1]!.received()).toEqual(Buffer.alloc(65_536, 'x'));
    });
  });
});

describe('B47c: over RELP', () => {
  it('opens, numbers its commands, and counts a batch when each message was answered', async () => {
    const { port, clock, send, classes } = setup('relp');
    const held: string[] = [];
    librelp(port, (message) => {
      held.push(message);
      return message === 'm3;' ? null : '200 OK';
    });
    send(1, 2);
    send(3, 4);
    await clock.advance(0);
    expect(port.connections[0]!.received().toString()).toBe(
      '1 open 51 relp_version=0\nrelp_software=tocsin\ncommands=syslog\n' +
        '2 syslog 3 m1;\n3 syslog 3 m2;\n4 syslog 3 m3;\n5 syslog 3 m4;\n',
    );
    expect(classes()).toEqual(['delivered', undefined]);
    port.connections[0]!.send('4 rsp 6 200 OK\n');
    await clock.advance(0);
    expect(classes()).toEqual(['delivered', 'delivered']);
  });

  it('sends again only what was not answered', async () => {
    const { port, clock, send, classes, resent } = setup('relp');
    librelp(port, (message) => (message === 'm2;' ? null : '200 OK'));
    send(1, 2, 3);
    await clock.advance(0);
    librelp(port);
    port.connections[0]!.break();
    await clock.advance(500);
    expect(numbersIn(port.connections[1]!.received())).toEqual([2, 3]);
    expect(classes()).toEqual(['delivered']);
    expect(resent()).toBe(2);
  });

  it('has no more than a window of commands without an answer', async () => {
    const { port, clock, send, classes } = setup('relp');
    librelp(port, () => null);
    send(...range(0, relpWindow + 10));
    await clock.advance(0);
    expect(numbersIn(port.connections[0]!.received())).toHaveLength(relpWindow);
    for (let number = 2; number < 12; number++) port.connections[0]!.send(`${number} rsp 6 200 OK\n`);
    await clock.advance(0);
    expect(numbersIn(port.connections[0]!.received())).toHaveLength(relpWindow + 10);
    for (let number = 12; number < relpWindow + 12; number++)
      port.connections[0]!.send(`${number} rsp 6 200 OK\n`);
    await clock.advance(0);
    expect(classes()).toEqual(['delivered']);
  });

  it('names the event that is refused', async () => {
    const { port, clock, send, verdicts } = setup('relp');
    librelp(port, (message) => (message === 'm2;' ? '500 no thanks' : '200 OK'));
    send(1, 2, 3);
    await clock.advance(0);
    expect(verdicts[0]).toEqual({
      class: 'event-fault',
      code: 'refused',
      detail: 'RELP answer 500 no thanks',
      index: 1,
      prefixStored: true,
    });
  });

  it.each([
    ['a refusal of open', '1 rsp 10 500 refuse\n', 'protocol'],
    ['no syslog among the commands', '1 rsp 21 200 OK\ncommands=other\n', 'protocol'],
    ['no RELP at all', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'protocol'],
    ['a hint that it closes', '0 serverclose 0\n', 'ended'],
  ])('%s is tried again, and delivers nothing', async (_, greeting, code) => {
    const { port, clock, send, classes, retries } = setup('relp');
    port.onWrite = (connection) => connection.send(greeting);
    send(1);
    await clock.advance(0);
    expect(retries).toEqual([code]);
    expect(classes()).toEqual([undefined]);
    expect(port.connections[0]!.isOver()).toBe(true);
    librelp(port);
    await clock.advance(500);
    expect(classes()).toEqual(['delivered']);
  });

  it.each([
    ['an answer to what was not asked', '9 rsp 6 200 OK\n', 'protocol'],
    ['an answer given twice', '2 rsp 6 200 OK\n2 rsp 6 200 OK\n', 'protocol'],
    ['data without its line feed', '2 rsp 6 200 OKx', 'protocol'],
    ['a command of its own', '2 syslog 1 x\n', 'protocol'],
    ['endless rubbish', 'x'.repeat(100), 'protocol'],
    ['too much data', '2 rsp 999999999 x', 'protocol'],
  ])('%s ends the session, and the rest is sent again', async (_, bytes, code) => {
    const { port, clock, send, classes, retries } = setup('relp');
    librelp(port, () => null);
    send(1, 2);
    await clock.advance(0);
    port.connections[0]!.send(bytes);
    await clock.advance(0);
    expect(retries).toEqual([code]);
    librelp(port);
    await clock.advance(500);
    expect(classes()).toEqual(['delivered']);
  });

  it('answers in pieces are answers, and silence is not', async () => {
    const { port, clock, send, classes, retries } = setup('relp');
    librelp(port, () => null);
    send(1);
    send(2);
    await clock.advance(0);
    for (const piece of ['2', ' rs', 'p 6 200', ' OK', '\n']) port.connections[0]!.send(piece);
    await clock.advance(0);
    expect(classes()).toEqual(['delivered', undefined]);
    await clock.advance(29_999);
    expect(retries).toEqual([]);
    await clock.advance(1);
    expect(retries).toEqual(['timeout']);
  });

  it('a session that ends while nobody uses it is nothing to speak of', async () => {
    const { port, clock, send, classes, retries } = setup('relp');
    librelp(port);
    send(1);
    await clock.advance(0);
    port.connections[0]!.send('0 serverclose 0\n');
    await clock.advance(60_000);
    expect(retries).toEqual([]);
    send(2);
    await clock.advance(0);
    expect(classes()).toEqual(['delivered', 'delivered']);
    expect(port.connections).toHaveLength(2);
  });

  it('says goodbye', async () => {
    const { port, clock, send, stop } = setup('relp');
    librelp(port);
    send(1);
    await clock.advance(0);
    stop();
    await clock.advance(0);
    expect(port.connections[0]!.received().toString()).toMatch(/3 close 0\n$/);
    expect(port.connections[0]!.ended()).toBe(true);
  });
});

describe('B47c: over UDP', () => {
  it('is one datagram for each message, without its length', async () => {
    const { port, clock, send, classes } = setup('udp');
    send(1, 2);
    send(3);
    await clock.advance(0);
    expect(port.datagramsSent.map(String)).toEqual(['m1;', 'm2;', 'm3;']);
    expect(classes()).toEqual(['delivered', 'delivered']);
  });

  it('S13: says how far it got when sending fails, and pauses where a name or a policy is in the way', async () => {
    const { port, clock, receiver, send, verdicts } = setup('udp');
    send(0);
    await clock.advance(0);
    port.failure = new SyslogFailure('reset', 'ECONNREFUSED');
    send(1, 2);
    await clock.advance(0);
    expect(verdicts[1]).toMatchObject({ class: 'transient', code: 'reset', accepted: 0 });
    port.failure = new SyslogFailure('dns', 'ENOTFOUND');
    send(1, 2);
    await clock.advance(0);
    expect(verdicts[2]).toMatchObject({ class: 'sink-fault', code: 'dns' });
    expect(await receiver.probe()).toBe(false);
  });
});
