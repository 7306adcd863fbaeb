// Commands that wait for long: they hold no offset, survive whatever dies, are attempted at their time and act once.
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../domain/action/outcome.ts';
import { actionKit, failure, probeCommand, probeTopic, type Step } from '../testing/action-kit.ts';
import { topics } from '../topics.ts';
import { awayMs } from './parking.ts';

const second = 1_000;
const hour = 3_600 * second;
const day = 24 * hour;
const done: Outcome = { status: 'done', ref: 'ok' };
const later = (afterMs: number): Outcome => failure('http_429', { afterMs });

/** Answers in this order, then `done`. */
function script(...answers: readonly Outcome[]): () => Outcome {
  let turn = 0;
  return () => answers[turn++] ?? done;
}

describe('a retry', () => {
  test('Retry-After of an hour: the offset moves at once, the attempt comes after the hour and goes on counting', async () => {
    const kit = actionKit(script(later(hour)));
    await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    expect([kit.committed(), kit.pending().length]).toEqual([1, 1]);
    expect(kit.results()).toMatchObject([{ status: 'retrying', attempt: 1, final: false }]);
    const [, announced] = [kit.calls[0]!.at, kit.results()[0]!.next_attempt_at as number];
    await kit.clock.advance(2 * hour);
    expect(kit.calls.map(({ attempt }) => attempt)).toEqual([1, 2]);
    const waited = kit.calls[1]!.at - kit.calls[0]!.at;
    expect(waited).toBeGreaterThanOrEqual(hour);
    expect(waited).toBeLessThan(1.1 * hour + second);
    expect(kit.calls[1]!.at).toBe(announced);
    expect(kit.finals()).toMatchObject([{ status: 'succeeded', attempt: 2 }]);
    expect([kit.committed(), kit.pending(), kit.failures]).toEqual([2, [], []]);
  });

  test('of more than 90 days, a day each: every attempt in its turn, none forgotten, none early', async () => {
    const kit = actionKit(script(...Array.from({ length: 92 }, () => later(day))));
    await kit.worker();
    const start = kit.clock.now();
    await kit.publish([probeCommand(1, { retry: { max_attempts: 100 } })]);
    await kit.clock.advance(110 * day);
    expect(kit.calls.map(({ attempt }) => attempt)).toEqual(Array.from({ length: 93 }, (_, n) => n + 1));
    expect(kit.calls.at(-1)!.at - start).toBeGreaterThan(90 * day);
    for (const [n, { at }] of kit.calls.slice(1).entries())
      expect(at - kit.calls[n]!.at).toBeGreaterThanOrEqual(day);
    expect(kit.finals()).toMatchObject([{ status: 'succeeded', attempt: 93 }]);
    // A name of its own for each wait: a late removal of one cannot hit the next.
    const set = kit.log.records(topics.timers.name).filter(({ value }) => value !== null);
    expect(new Set(set.map(({ key }) => String(key))).size).toBe(92);
  }, 60_000);

  test('waits of seconds stay in memory, five seconds of them in all', async () => {
    const kit = actionKit(script(...Array.from({ length: 3 }, () => later(2_100))));
    await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(4 * second);
    expect([kit.calls.length, kit.committed(), kit.pending()]).toEqual([2, -1, []]);
    await kit.clock.advance(0.9 * second);
    expect([kit.calls.length, kit.committed(), kit.pending().length]).toEqual([3, 1, 1]);
    await kit.clock.advance(10 * second);
    expect([kit.calls.length, kit.committed(), kit.pending()]).toEqual([4, 2, []]);
    expect(kit.log.records(probeTopic).length).toBe(2);
    expect(kit.finals()).toMatchObject([{ status: 'succeeded', attempt: 4 }]);
  });

  test('a possible duplicate stays one while it waits', async () => {
    const kit = actionKit(script(failure('timeout', { afterMs: hour }, { uncertain: true })));
    await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    // The ledger keeps its mark for days; the wait may be longer.
    await kit.effects.release(probeCommand(1).command_id);
    await kit.clock.advance(2 * hour);
    expect(kit.finals()).toMatchObject([{ status: 'succeeded', possible_duplicate: true }]);
  });

  test('the dead letter is that of the command, byte by byte, with its key, headers and place', async () => {
    const kit = actionKit(() => failure('http_5xx', { afterMs: hour }));
    await kit.worker();
    await kit.publish(['no command']);
    // Not as JSON.stringify would write it: spaces, escapes, another order of members.
    const bytes = ` ${JSON.stringify(probeCommand(1, { retry: { max_attempts: 2 } }), null, 1).replace('finding.new', 'finding\\u002enew')}\n`;
    const key = Buffer.from([0x00, 0xff, 0x80]);
    await kit.publish([bytes], { key, headers: [['trace', Buffer.from([1, 0xfe])]] });
    await kit.clock.advance(3 * hour);
    const letter = kit.letters().at(-1)!;
    const header = (name: string): string | undefined =>
      letter.headers.find(([held]) => held === name)?.[1].toString('latin1');
    expect(String(letter.value)).toBe(bytes);
    expect(letter.key).toEqual(key);
    expect(header('x-orig-trace')).toBe('\x01\xfe');
    expect(header('x-dlq-source')).toBe(`${probeTopic}/0/1`);
    expect(header('x-dlq-attempts')).toBe('2');
    expect(header('x-dlq-first-at')).toBe(new Date(kit.calls[0]!.at).toISOString());
    // It goes back as it is: a command that is taken up.
    await kit.publish([String(letter.value)]);
    await kit.clock.advance(second);
    expect(kit.letters().map(({ value }) => String(value))).toEqual(['no command', bytes, bytes]);
  });

  test('neighbours of the key go on: a command that was attempted has lost its place', async () => {
    const kit = actionKit((command) =>
      command.source.id === 'evt-1' && kit.calls.length === 1 ? later(hour) : done,
    );
    await kit.worker();
    await kit.publish([probeCommand(1), probeCommand(2), probeCommand(3)], { key: 'same' });
    await kit.clock.advance(2 * hour);
    expect(kit.calls.map(({ id }) => Number(id))).toEqual([1, 2, 3, 1]);
  });
});

describe('what is not parked waits in memory and holds its offset', () => {
  test('a command too large for its timer', async () => {
    const kit = actionKit(script(later(hour)));
    await kit.worker();
    await kit.publish([probeCommand(1, { params: { text: 'x'.repeat(1_000_000) } }), probeCommand(2)]);
    await kit.clock.advance(second);
    expect([kit.committed(), kit.pending(), kit.calls.length]).toEqual([-1, [], 2]);
    await kit.clock.advance(2 * hour);
    expect([kit.committed(), kit.finals().length]).toEqual([2, 2]);
  });

  test('one more than there is room for; it is parked no more when the room is back', async () => {
    const kit = actionKit((command, { attempt }) =>
      attempt === 1 ? later(hour * Number(command.source.offset)) : done,
    );
    const one = JSON.stringify(probeCommand(1)).length;
    await kit.worker({ maxParkedChars: 2.5 * (one + 400) });
    await kit.publish([1, 2, 3, 4].map((number) => probeCommand(number)));
    await kit.clock.advance(second);
    expect(kit.pending().length).toBe(2);
    expect(kit.committed()).toBeLessThan(4);
    expect(kit.metrics.total('tocsin_action_not_parked_total')).toBe(2);
    await kit.clock.advance(6 * hour);
    expect(kit.finals().map(({ status, attempt }) => [status, attempt])).toEqual(
      Array(4).fill(['succeeded', 2]),
    );
    expect(kit.committed()).toBe(6);
  });
});

describe('a destination that is away', () => {
  const all = (count: number, connection: string) =>
    Array.from({ length: count }, (_, n) => probeCommand(n + 1, { connection }));
  const idsOf = (kit: ReturnType<typeof actionKit>, connection: string) =>
    kit.finals().filter((result) => result.connection === connection && result.status === 'succeeded').length;

  test('holds no offset and nobody else; when it is back all come, once, those never attempted in their order', async () => {
    let down = true;
    const kit = actionKit(({ connection }) => (connection === 'dead' && down ? failure('connect') : done));
    await kit.worker();
    await kit.publish(all(1_000, 'dead'), { key: 'one key' });
    await kit.publish([probeCommand(5_000, { connection: 'well' })]);
    await kit.clock.advance(2 * 60 * second);
    const end = () => kit.log.records(probeTopic).length;
    // Everything that is in the topic is behind the committed offset; what is left is in the topic of timers.
    expect(kit.committed()).toBe(end());
    expect([kit.pending().length, idsOf(kit, 'well')]).toEqual([1_000, 1]);
    const attempts = kit.calls.filter(({ connection }) => connection === 'dead').length;
    expect(attempts).toBeLessThan(20);
    await kit.clock.advance(5 * hour);
    expect(kit.committed()).toBe(end());
    down = false;
    const back = kit.calls.length;
    await kit.clock.advance(60 * second);
    expect([idsOf(kit, 'dead'), kit.pending(), kit.failures]).toEqual([1_000, [], []]);
    const delivered = kit.calls.slice(back);
    expect(delivered.length).toBe(1_000);
    expect(kit.finals().filter(({ status }) => status === 'suppressed')).toEqual([]);
    expect(kit.committed()).toBe(end());
  }, 60_000);

  test('commands that nobody attempted come back in the order of their key', async () => {
    let down = true;
    const kit = actionKit(() => (down ? failure('http_401_403', 'pause') : done));
    await kit.worker({ laneSettings: () => ({ concurrency: 1, ratePerSecond: null }) });
    // Others first, so that those of the key below are never used to try the destination.
    await kit.publish(all(20, 'c'));
    await kit.clock.advance(40 * second);
    const ordered = Array.from({ length: 600 }, (_, n) =>
      probeCommand(1_000 + ((n * 7_919) % 600), { connection: 'c' }),
    );
    await kit.publish(ordered, { key: 'ordered' });
    await kit.clock.advance(60 * second);
    expect(kit.committed()).toBe(kit.log.records(probeTopic).length);
    down = false;
    await kit.clock.advance(60 * second);
    const seen = kit.calls.map(({ id }) => id).filter((id) => Number.parseInt(id, 16) >= 1_000);
    expect(seen).toEqual(ordered.map(({ command_id }) => command_id));
  }, 60_000);

  test('refused for hours: tried again and again, and at once when the connection is another one', async () => {
    let refuses = true;
    const kit = actionKit(() => (refuses ? failure('http_401_403', 'pause') : done));
    const worker = await kit.worker();
    await kit.publish(all(3, 'c'));
    await kit.clock.advance(5 * hour);
    expect(kit.committed()).toBe(kit.log.records(probeTopic).length);
    expect(kit.calls.every(({ attempt }) => attempt === 1)).toBe(true);
    // One at a time, every 30 s.
    expect(kit.calls.length).toBeGreaterThan(590);
    expect(kit.calls.length).toBeLessThan(620);
    // In the middle between two tries.
    await kit.clock.advance(kit.calls.at(-1)!.at + 45 * second - kit.clock.now());
    const before = kit.calls.length;
    refuses = false;
    await kit.clock.advance(second);
    expect(kit.calls.length).toBe(before);
    worker.performer.connectionChanged('c');
    worker.performer.connectionChanged('of another');
    await kit.clock.advance(second);
    expect(kit.finals().map(({ status, attempt }) => [status, attempt])).toEqual(
      Array(3).fill(['succeeded', 1]),
    );
    expect([kit.pending(), kit.letters()]).toEqual([[], []]);
  });

  test('after a restart, also of another machine, they are called back too', async () => {
    let down = true;
    const kit = actionKit(() => (down ? failure('connect') : done));
    const first = await kit.worker();
    await kit.publish(all(40, 'c'));
    await kit.clock.advance(60 * second);
    await first.crash();
    down = false;
    await kit.worker();
    await kit.clock.advance(second);
    expect(idsOf(kit, 'c')).toBe(40);
    expect(kit.clock.now()).toBeLessThan(1_000_000 + awayMs);
  });

  test('one that nobody calls back comes by itself', async () => {
    let down = true;
    const kit = actionKit(() => (down ? failure('connect') : done));
    const { timers } = await kit.worker();
    await kit.publish(all(10, 'c'));
    await kit.clock.advance(60 * second);
    down = false;
    timers.hasten = () => false;
    await kit.clock.advance(awayMs + 60 * second);
    expect(idsOf(kit, 'c')).toBe(10);
  });
});

describe('crashes', () => {
  /** When it dies, and how often the command may be attempted in all, and after its wait: what nobody wrote down comes again. */
  const steps: readonly (readonly [Step, after: number, all: number, waited: number])[] = [
    ['begin', second, 2, 1],
    ['attempt', second, 3, 1],
    ['release', second, 3, 1],
    ['result', second, 3, 1],
    ['timer', second, 2, 1],
    ['fire', 2 * hour, 2, 1],
    // The attempt of the fired command had begun.
    ['removal', 2 * hour, 3, 2],
    ['finish', 2 * hour, 2, 1],
    ['end', 2 * hour, 2, 1],
  ];

  test.each(steps)(
    'a worker that dies after %s: nothing is lost, one effect, no timer is left',
    async (dieAfter, after, all, waited) => {
      const kit = actionKit((_, { attempt }) => (attempt === 1 ? later(hour) : done));
      const first = await kit.worker({ dieAfter });
      await kit.publish([probeCommand(1)]);
      await kit.clock.advance(after);
      expect(first.dead).toBe(true);
      await kit.worker();
      await kit.clock.advance(5 * hour);
      const ended = kit.finals().map(({ status }) => status);
      expect(ended.filter((status) => status !== 'succeeded' && status !== 'suppressed')).toEqual([]);
      expect(ended.length).toBeGreaterThan(0);
      expect(kit.calls.length).toBeLessThanOrEqual(all);
      expect(kit.calls.filter(({ attempt }) => attempt > 1).length).toBeLessThanOrEqual(waited);
      expect([kit.pending(), kit.letters(), kit.failures]).toEqual([[], [], []]);
      expect(kit.committed()).toBe(kit.log.records(probeTopic).length);
    },
  );

  test('between timer and commit: the command is left alone until its timer fires', async () => {
    const kit = actionKit(script(later(hour)));
    await kit.worker({ dieAfter: 'timer' });
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    expect([kit.committed(), kit.pending().length]).toEqual([-1, 1]);
    await kit.worker();
    await kit.clock.advance(second);
    expect([kit.committed(), kit.pending().length, kit.calls.length]).toEqual([1, 1, 1]);
    await kit.clock.advance(2 * hour);
    expect(kit.calls.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(kit.calls[1]!.at - kit.calls[0]!.at).toBeGreaterThanOrEqual(hour);
    expect(kit.finals().length).toBe(1);
  });

  test('taken a second time after the timer has fired: the ledger answers, the effect is one', async () => {
    const kit = actionKit(script(later(hour)));
    await kit.worker({ dieAfter: 'timer' });
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    // Nobody there until the timer is overdue: it fires while the command is read again.
    await kit.clock.advance(3 * hour);
    await kit.worker();
    await kit.clock.advance(hour);
    expect(
      kit
        .finals()
        .map(({ status }) => status)
        .sort(),
    ).toEqual(['succeeded', 'suppressed']);
    expect(kit.calls.length).toBe(2);
    expect(kit.pending()).toEqual([]);
  });

  test('a timer that fires twice acts once', async () => {
    const kit = actionKit(script(later(hour)));
    await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(2 * hour);
    const fired = kit.log.records(probeTopic).at(-1)!;
    await kit.log.producer().send([{ topic: probeTopic, key: fired.key, value: fired.value }]);
    await kit.clock.advance(hour);
    expect(kit.calls.length).toBe(2);
    expect(kit.finals().map(({ status }) => status)).toEqual(['succeeded', 'suppressed']);
  });

  test('fired twice while it is attempted: the second waits for the first and never acts beside it', async () => {
    let release: () => void = () => undefined;
    const kit = actionKit((_, { attempt }) =>
      attempt === 1 ? later(hour) : new Promise((resolve) => (release = () => resolve(done))),
    );
    await kit.worker();
    await kit.publish([probeCommand(1, { on_uncertain: 'hold' })]);
    await kit.clock.advance(2 * hour);
    const fired = kit.log.records(probeTopic).at(-1)!;
    await kit.log.producer().send([{ topic: probeTopic, key: fired.key, value: fired.value }]);
    await kit.clock.advance(second);
    expect([kit.calls.length, kit.finals()]).toEqual([2, []]);
    release();
    await kit.clock.advance(second);
    // Beside the first it would have been held: begun, and its outcome not known.
    expect(kit.finals().map(({ status }) => status)).toEqual(['succeeded', 'suppressed']);
  });

  test('fired twice, parked again by the first: the second is let go', async () => {
    const kit = actionKit(script(later(hour), later(hour)));
    await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(1.2 * hour);
    const fired = kit.log.records(probeTopic).at(-1)!;
    await kit.log.producer().send([{ topic: probeTopic, key: fired.key, value: fired.value }]);
    await kit.clock.advance(second);
    expect([kit.calls.length, kit.pending().length]).toEqual([2, 1]);
    await kit.clock.advance(2 * hour);
    expect(kit.finals()).toMatchObject([{ status: 'succeeded', attempt: 3 }]);
  });

  test('stopped while commands are parked, started again later: each at its time', async () => {
    const kit = actionKit(script(later(hour)));
    const first = await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    await first.stop();
    await kit.clock.advance(3 * hour);
    expect(kit.calls.length).toBe(1);
    await kit.worker();
    await kit.clock.advance(second);
    expect(kit.finals()).toMatchObject([{ status: 'succeeded', attempt: 2 }]);
  });

  test('stopped in the middle of a wait in memory: uncommitted, and taken up by the next', async () => {
    const kit = actionKit(script(later(3_000)));
    const first = await kit.worker();
    await kit.publish([probeCommand(1)]);
    await kit.clock.advance(second);
    await first.stop();
    expect(kit.committed()).toBe(-1);
    await kit.worker();
    await kit.clock.advance(10 * second);
    expect(kit.finals()).toMatchObject([{ status: 'succeeded' }]);
  });

  test('partitions move while commands are parked: their timers move with them and fire once', async () => {
    const kit = actionKit((_, { attempt }) => (attempt === 1 ? later(hour) : done), { partitions: 4 });
    const first = await kit.worker();
    await kit.publish(Array.from({ length: 40 }, (_, n) => probeCommand(n + 1)));
    await kit.clock.advance(second);
    await kit.worker();
    await kit.clock.advance(second);
    expect(first.timers.chars).toBeGreaterThan(0);
    await first.stop();
    // Nothing of what others have now is kept.
    expect(first.timers.chars).toBe(0);
    await kit.worker();
    await kit.clock.advance(2 * hour);
    expect(kit.calls.length).toBe(80);
    expect(kit.finals().map(({ status }) => status)).toEqual(Array(40).fill('succeeded'));
    expect(kit.pending()).toEqual([]);
    for (let partition = 0; partition < 4; partition += 1)
      expect(kit.committed(partition)).toBe(
        kit.log.records(probeTopic).filter((record) => record.partition === partition).length,
      );
  });
});

test('a topic that was made anew counts from 0 again: what is parked from before hides no other command', async () => {
  const kit = actionKit(() => done);
  const old = probeCommand(7);
  const payload = {
    command: JSON.stringify(old),
    origin: { offset: 0 },
    attempts: { count: 1, possibleDuplicate: false, refused: null, failedSince: 1 },
    waits: 1,
  };
  const value = JSON.stringify({ due: kit.clock.now() + hour, topic: probeTopic, key: 'k', payload });
  const key = `${probeTopic}/${old.command_id}.0.1`;
  await kit.log.producer().send([{ topic: topics.timers.name, key, partition: 0, value }]);
  await kit.worker();
  await kit.publish([probeCommand(1)]);
  await kit.clock.advance(second);
  expect(kit.calls.map(({ id }) => Number(id))).toEqual([1]);
  await kit.clock.advance(2 * hour);
  expect(kit.calls.map(({ id, attempt }) => [Number(id), attempt])).toEqual([
    [1, 1],
    [7, 2],
  ]);
});

test('a record that claims to be a timer and carries no command is a dead letter, and stops nobody', async () => {
  const kit = actionKit(() => done);
  await kit.worker();
  const broken = [
    '{"kind":"timer","token":"t","due":1}',
    '{"kind":"timer","token":"t","due":1,"command":1,"origin":{"offset":0},"attempts":{},"waits":1}',
    `{"kind":"timer","command":"{}","origin":{"offset":0},"attempts":{"count":-1,"possibleDuplicate":false,"refused":null,"failedSince":null},"waits":1}`,
    `{"kind":"timer","command":"{}","origin":{"offset":7},"attempts":{"count":1,"possibleDuplicate":false,"refused":null,"failedSince":null},"waits":1}`,
  ];
  await kit.publish([...broken, probeCommand(1)]);
  await kit.clock.advance(second);
  expect(kit.letters().map(({ value }) => String(value))).toEqual([...broken.slice(0, 3), '{}']);
  expect(kit.finals().length).toBe(1);
  expect(kit.committed()).toBe(5);
});
