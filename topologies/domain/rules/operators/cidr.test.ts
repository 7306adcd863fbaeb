// Networks: what is an address, the two ways to write IPv4, and what is refused.
import { describe, expect, test } from 'vitest';
import { pin } from '../../../testing/rules.ts';
import { checkRule } from '../parse-rule.ts';

const cidr = (network: unknown, address: unknown, expected: boolean) =>
  ['cidr', { 'data.a': { cidr: network } }, { a: address }, expected] as const;

describe('IPv4', () => {
  pin([
    cidr('10.0.0.0/8', '10.255.255.255', true),
    cidr('10.0.0.0/8', '11.0.0.0', false),
    cidr('10.0.0.0/8', '9.255.255.255', false),
    cidr('192.168.1.4/30', '192.168.1.7', true),
    cidr('192.168.1.4/30', '192.168.1.8', false),
    cidr('0.0.0.0/0', '255.255.255.255', true),
    cidr('128.0.0.0/1', '127.255.255.255', false),
    cidr('10.0.0.1', '10.0.0.1', true),
    cidr('10.0.0.1/32', '10.0.0.2', false),
    cidr(['10.0.0.0/8', '172.16.0.0/12'], '172.31.0.1', true),
    cidr('10.0.0.0/8', ['x', '10.1.1.1'], true),
  ]);
});

describe('IPv6', () => {
  pin([
    cidr('2001:db8::/32', '2001:0DB8:ffff::1', true),
    cidr('2001:db8::/32', '2001:db9::', false),
    cidr('2001:db8:8000::/33', '2001:db8:7fff::', false),
    cidr('::1', '0:0:0:0:0:0:0:1', true),
    cidr('fe80::/10', 'fe80::1%eth0', true),
    cidr('::/0', '1:2:3:4:5:6:7::', true),
    cidr('::/0', '10.0.0.1', false),
    cidr('0.0.0.0/0', '::1', false),
  ]);
});

describe('IPv4 written as IPv6 is IPv4', () => {
  pin([
    cidr('10.0.0.0/8', '::ffff:10.1.2.3', true),
    cidr('10.0.0.0/8', '::FFFF:0a01:0203', true),
    cidr('::ffff:10.0.0.0/104', '10.1.2.3', true),
    cidr('::ffff:0:0/96', '1.2.3.4', true),
    cidr('::/64', '::ffff:1.2.3.4', false),
    cidr('::/0', '::ffff:1.2.3.4', false),
    cidr('::/0', '::1.2.3.4', true),
  ]);
});

describe('what logs add is left away, and what is no address fits nothing', () => {
  const anything = ['0.0.0.0/0', '::/0'];
  pin(
    ['10.0.0.1:443', '10.0.0.1:0', '[::1]:443', '[::1]', '[fe80::1%eth0]:80', 'fe80::1%1'].map((text) =>
      cidr(anything, text, true),
    ),
  );
  pin(
    [
      '',
      '10.0.0',
      '10.0.0.0.1',
      '010.0.0.1',
      '10.0.0.256',
      '10.0.0.1 ',
      ' 10.0.0.1',
      '10.0.0.0/8',
      '0x0a.0.0.1',
      '167772161',
      '10.0.0.1:',
      '10.0.0.1:65536',
      '10.0.0.1:080000',
      '10.0.0.1%eth0',
      '[10.0.0.1]',
      '[10.0.0.1]:80',
      '[::1',
      '::1]',
      '[::1]443',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8::',
      '::12345',
      '::g',
      '1.2.3.4::',
      '::1%',
      '１０.0.0.1',
      167_772_161,
      true,
      { ip: '10.0.0.1' },
    ].map((text) => cidr(anything, text, false)),
  );
});

describe('networks that are refused', () => {
  const issues = (network: unknown): string[] =>
    checkRule({
      kind: 'rule',
      id: 'r',
      when: { 'data.a': { cidr: network } },
      then: [{ action: 'a' }],
    }).map(({ path, message }) => `${path}: ${message}`);
  const shape = 'must be an address or a network such as 10.0.0.0/8 or 2001:db8::/32';
  test.each([
    ['10.0.0.0/33', '/when/data.a/cidr: a prefix of IPv4 has at most 32 bits'],
    ['::/129', '/when/data.a/cidr: a prefix of IPv6 has at most 128 bits'],
    ['10.1.2.3/8', '/when/data.a/cidr: has bits beyond its prefix; the network is 10.0.0.0/8'],
    ['2001:db8::1/32', '/when/data.a/cidr: has bits beyond its prefix; the network is 2001:db8::/32'],
    [
      '::ffff:10.0.0.0/95',
      '/when/data.a/cidr: ::ffff:10.0.0.0 is an IPv4 address; its prefix has at least 96 bits',
    ],
    ['10.0.0.0/', `/when/data.a/cidr: ${shape}`],
    ['10.0.0.0/8/8', `/when/data.a/cidr: ${shape}`],
    ['10.0.0.0/08', `/when/data.a/cidr: ${shape}`],
    ['10.0.0.0/-1', `/when/data.a/cidr: ${shape}`],
    ['10.*', `/when/data.a/cidr: ${shape}`],
    ['fe80::1%eth0', `/when/data.a/cidr: ${shape}`],
    ['10.0.0.1:80', `/when/data.a/cidr: ${shape}`],
    [10, `/when/data.a/cidr: ${shape}`],
    [['10.0.0.0/8', null], `/when/data.a/cidr/1: ${shape}`],
  ])('%j', (network, issue) => expect(issues(network)).toEqual([issue]));
});
