// Hash vectors of Apache Kafka's own UtilsTest.testMurmur2 (clients/src/test/java/.../utils/UtilsTest.java).
import { expect, it } from 'vitest';
import { choosePartition, murmur2, partitionOfKey } from './partition.ts';

it.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s', (text, expected) => {
  expect(murmur2(Buffer.from(text))).toBe(expected);
});

it('masks the sign bit instead of reinterpreting it', () => {
  // -973932308 & 0x7fffffff = 1173551340; read as unsigned it would be 3321034988, another partition of 12.
  expect(partitionOfKey(Buffer.from('21'), 12)).toBe(1173551340 % 12);
  expect(1173551340 % 12).not.toBe(3321034988 % 12);
});

it('spreads records without a key, each topic in its own turn', () => {
  const rotation = new Map<string, number>();
  const next = (topic: string) => choosePartition({ topic, key: null, value: null }, 3, rotation);
  expect([next('a'), next('a'), next('b'), next('a'), next('a')]).toEqual([0, 1, 0, 2, 0]);
  expect(choosePartition({ topic: 'a', key: 'abc', value: null, partition: 2 }, 3, rotation)).toBe(2);
});
