// Range assignment as Kafka's RangeAssignor documents it, and the wire forms of both messages.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  assignRange,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './group-protocol.ts';

it('gives the example of the RangeAssignor documentation', () => {
  // "Suppose there are two consumers C0 and C1, two topics t0 and t1, and each topic has 3 partitions."
  const members = ['C1', 'C0'].map((memberId) => ({ memberId, topics: ['t0', 't1'] }));
  const assignment = assignRange(
    members,
    new Map([
      ['t0', 3],
      ['t1', 3],
    ]),
  );
  expect(Object.fromEntries(assignment.get('C0')!)).toEqual({ t0: [0, 1], t1: [0, 1] });
  expect(Object.fromEntries(assignment.get('C1')!)).toEqual({ t0: [2], t1: [2] });
});

it('gives every partition to exactly one subscriber and keeps equal topics together', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 20 }),
      (ids, count) => {
        const members = ids.map((memberId) => ({ memberId, topics: ['a', 'b'] }));
        const assignment = assignRange(
          members,
          new Map([
            ['a', count],
            ['b', count],
          ]),
        );
        const all = [...assignment.values()].flatMap((topics) => topics.get('a') ?? []).sort((x, y) => x - y);
        expect(all).toEqual(Array.from({ length: count }, (_, index) => index));
        for (const topics of assignment.values()) expect(topics.get('a')).toEqual(topics.get('b'));
      },
    ),
  );
});

it('leaves out who does not subscribe', () => {
  const members = [
    { memberId: 'x', topics: ['a'] },
    { memberId: 'y', topics: ['b'] },
  ];
  const assignment = assignRange(
    members,
    new Map([
      ['a', 2],
      ['b', 0],
    ]),
  );
  expect([...assignment.get('x')!]).toEqual([['a', [0, 1]]]);
  expect(assignment.get('y')!.size).toBe(0);
});

it('reads back what it writes, and a subscription of a later version', () => {
  expect(decodeSubscription(encodeSubscription(['findings.v1', 'ü']))).toEqual(['findings.v1', 'ü']);
  const topics = new Map([
    ['a', [0, 5]],
    ['b', []],
  ]);
  expect(decodeAssignment(encodeAssignment(topics))).toEqual(topics);
  expect(decodeAssignment(Buffer.alloc(0))).toEqual(new Map());
  const later = Buffer.concat([encodeSubscription(['a']), Buffer.from([0, 0, 0, 0, 0, 0, 0, 7])]);
  later.writeInt16BE(3, 0);
  expect(decodeSubscription(later)).toEqual(['a']);
  // ConsumerProtocolSubscription v0 of one topic "t", written out by hand.
  expect(encodeSubscription(['t']).toString('hex')).toBe('0000' + '00000001' + '0001' + '74' + 'ffffffff');
});
