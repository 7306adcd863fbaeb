// Address classes: expected values are the IANA special-purpose registries and the cloud vendors' documented addresses.
import { describe, expect, it } from 'vitest';
import { type AddressClass, cidrList, classifyAddress, listHolds } from './address.ts';

const table: readonly (readonly [AddressClass, readonly string[]])[] = [
  [
    'forbidden',
    [
      '0.0.0.0',
      '0.1.2.3',
      '169.254.169.254',
      '169.254.0.1',
      '169.254.170.2',
      '100.100.100.200',
      '192.0.0.192',
      '168.63.129.16',
      '224.0.0.1',
      '239.255.255.250',
      '240.0.0.1',
      '255.255.255.255',
      '::',
      'fe80::1',
      'fe80::1%eth0',
      'febf::1',
      'ff02::1',
      'fd00:ec2::254',
      'fd00:ec2::23',
      'fd20:ce::254',
      '::ffff:169.254.169.254',
      '::ffff:a9fe:a9fe',
      '::169.254.169.254',
      '::ffff:0:169.254.169.254',
      '64:ff9b::169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      '64:ff9b::127.0.0.1',
      '64:ff9b::10.0.0.1',
      '64:ff9b:1::1',
      '2002:a9fe:a9fe::1',
      '2002:7f00:1::',
      '2001:0:53aa:64c::5601:5601',
      '2a00:1450::5efe:10.0.0.1',
      'not an address',
      '',
      'example.org',
    ],
  ],
  ['loopback', ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1', '0:0:0:0:0:0:0:1']],
  [
    'private',
    [
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      'fc00::1',
      'fd12:3456::1',
      '::ffff:192.168.0.1',
      '198.18.0.1',
    ],
  ],
  [
    'public',
    [
      '8.8.8.8',
      '172.15.255.255',
      '172.32.0.1',
      '192.169.0.1',
      '100.128.0.1',
      '2606:4700::1111',
      '::ffff:8.8.8.8',
      '64:ff9b::8.8.8.8',
      '203.0.113.5',
    ],
  ],
];

describe('classifyAddress', () => {
  for (const [kind, addresses] of table) {
    for (const address of addresses) {
      it(`${JSON.stringify(address)} is ${kind}`, () => expect(classifyAddress(address)).toBe(kind));
    }
  }
});

describe('cidrList', () => {
  it('finds mapped addresses in IPv4 ranges', () => {
    const list = cidrList(['10.0.0.0/8', '2001:db8::/32', '192.0.2.7']);
    expect(listHolds(list, '10.1.2.3')).toBe(true);
    expect(listHolds(list, '::ffff:10.1.2.3')).toBe(true);
    expect(listHolds(list, '2001:db8::5')).toBe(true);
    expect(listHolds(list, '192.0.2.7')).toBe(true);
    expect(listHolds(list, '192.0.2.8')).toBe(false);
    expect(listHolds(list, '11.0.0.1')).toBe(false);
  });
  for (const bad of [
    '',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '::/129',
    'example.org',
    '10.0.0/8',
    '1.2.3.4/8/9x',
    'fe80::1%lo/64',
  ]) {
    it(`refuses ${JSON.stringify(bad)}`, () => expect(() => cidrList([bad])).toThrow(RangeError));
  }
});
