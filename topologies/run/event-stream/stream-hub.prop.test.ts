// Whatever clients do, each of them gets every event once and in the order of its partition, over all its connections together.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { numbersOf, openTestStream, type SeenMessage, type TestOutlet } from './stream-kit.ts';

const clients = 3;
const operation = fc.oneof(
  fc.record({
    what: fc.constant('publish' as const),
    count: fc.integer({ min: 1, max: 80 }),
    who: fc.constant(0),
  }),
  fc.record({
    what: fc.constantFrom('stick', 'take', 'free', 'reconnect', 'vanish'),
    who: fc.nat({ max: clients - 1 }),
    count: fc.constant(0),
  }),
  fc.record({
    what: fc.constant('wait' as const),
    count: fc.integer({ min: 1, max: 20_000 }),
    who: fc.constant(0),
  }),
);

it('loses nothing and repeats nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 30 }), async (operations) => {
      const stream = openTestStream({
        boundBytes: 1_500,
        ringBytes: 12_000,
        catchUpReaders: 1,
        lingerMs: 5_000,
        clientsPerKey: 9,
      });
      const had: SeenMessage[][] = Array.from({ length: clients }, () => []);
      const connections = await Promise.all(had.map(() => stream.connect()));
      let published = 0;

      /** The client comes back with the last position that it saw. */
      async function reconnect(who: number, vanishes: boolean): Promise<void> {
        const { outlet, leave } = connections[who]!;
        if (!vanishes) outlet.take();
        const { lastId, messages } = outlet;
        // Before its first byte a client has no position: it would begin anew.
        if (lastId === '') return;
        leave();
        had[who]!.push(...messages);
        connections[who] = await stream.connect(lastId);
      }
      const wake = (who: number, change: (outlet: TestOutlet) => void): void => {
        const { outlet, client } = connections[who]!;
        change(outlet);
        client.wake();
      };

      for (const { what, who, count } of operations) {
        if (what === 'publish') {
          await stream.publish(Array.from({ length: count }, (_, index) => published + index));
          published += count;
        }
        if (what === 'stick') wake(who, (outlet) => Object.assign(outlet, { stuck: true }));
        if (what === 'take') wake(who, (outlet) => outlet.take());
        if (what === 'free')
          wake(who, (outlet) => {
            outlet.stuck = false;
            outlet.take();
          });
        if (what === 'reconnect') await reconnect(who, false);
        if (what === 'vanish') await reconnect(who, true);
        await stream.clock.advance(what === 'wait' ? count : 0);
      }
      for (let who = 0; who < clients; who += 1) {
        connections[who]!.outlet.stuck = false;
        await reconnect(who, false);
      }
      await stream.clock.advance(2_000);
      for (let who = 0; who < clients; who += 1) {
        const numbers = numbersOf([...had[who]!, ...connections[who]!.outlet.messages]);
        for (const partition of [0, 1, 2])
          expect(numbers.filter((n) => n % 3 === partition)).toEqual(
            Array.from({ length: published }, (_, n) => n).filter((n) => n % 3 === partition),
          );
      }
    }),
    { numRuns: 150 },
  );
});
