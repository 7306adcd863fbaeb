// What kind of address an IP literal is, for the egress policy.
// Invariant: an address nobody classified as public is never returned as 'public' because of how it is written: every form that
// carries an IPv4 address inside an IPv6 one is judged by the address inside.
// Surprise: 6to4, Teredo and local NAT64 are refused whole; nothing that we want to reach lives there (RFC 7526 deprecates 6to4).
import { BlockList, isIP } from 'node:net';

/**
 * forbidden: never reachable, no setting opens it (link-local, metadata services, multicast, unspecified, tunnels).
 * loopback and private: reachable when an administrator listed the range. public: the rest.
 */
export type AddressClass = 'forbidden' | 'loopback' | 'private' | 'public';

// IANA special-purpose registries (RFC 6890 and updates); metadata addresses from the vendors' documentation:
// AWS 169.254.169.254, fd00:ec2::/32; Alibaba 100.100.100.200; Oracle 192.0.0.192; Azure 168.63.129.16; Google fd20:ce::254.
const forbidden = cidrList([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '192.0.0.192/32',
  '168.63.129.16/32',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
  'fd00:ec2::/32',
  'fd20:ce::254/128',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2002::/16',
]);
const loopback = cidrList(['127.0.0.0/8', '::1/128']);
const privateRanges = cidrList([
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '192.0.0.0/24',
  '198.18.0.0/15',
  'fc00::/7',
]);

/** `address` is an IP literal without brackets; a zone (`%eth0`) is ignored. Anything else is 'forbidden'. */
export function classifyAddress(address: string): AddressClass {
  const bare = withoutZone(address);
  const family = isIP(bare);
  if (family === 0) return 'forbidden';
  if (family === 4) return classOf(bare, 'ipv4');
  const groups = ipv6Groups(bare);
  const wrapped = wrappedIpv4(groups);
  if (wrapped === null) return classOf(bare, 'ipv6');
  const inner = classOf(wrapped.address, 'ipv4');
  // The kernel treats a mapped address as the IPv4 address itself; through a translator only public ones make sense.
  return wrapped.sameHost || inner === 'public' ? inner : 'forbidden';
}

/** The IPv4 address when `address` is IPv4-mapped (`::ffff:a.b.c.d`), else the address itself; both without zone. */
export function unmapped(address: string): string {
  const bare = withoutZone(address);
  if (isIP(bare) !== 6) return bare;
  const wrapped = wrappedIpv4(ipv6Groups(bare));
  return wrapped?.sameHost === true ? wrapped.address : bare;
}

/** Builds a list from `a.b.c.d/n` and `x::/n` (or single addresses). Throws RangeError naming the entry that is no CIDR. */
export function cidrList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', prefix, ...rest] = cidr.split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix);
    const valid =
      family !== 0 &&
      rest.length === 0 &&
      !address.includes('%') &&
      (prefix === undefined || /^\d{1,3}$/.test(prefix)) &&
      bits <= (family === 4 ? 32 : 128);
    if (!valid) throw new RangeError(`not a CIDR range: ${JSON.stringify(cidr)}`);
    list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

/** Whether the list holds the address; an IPv4-mapped address is looked up as IPv4. */
export function listHolds(list: BlockList, address: string): boolean {
  const bare = unmapped(address);
  const family = isIP(bare);
  return family !== 0 && list.check(bare, family === 4 ? 'ipv4' : 'ipv6');
}

function classOf(address: string, family: 'ipv4' | 'ipv6'): AddressClass {
  if (forbidden.check(address, family)) return 'forbidden';
  if (loopback.check(address, family)) return 'loopback';
  return privateRanges.check(address, family) ? 'private' : 'public';
}

function withoutZone(address: string): string {
  const percent = address.indexOf('%');
  return percent < 0 ? address : address.slice(0, percent);
}

function wrappedIpv4(groups: readonly number[]): { address: string; sameHost: boolean } | null {
  const [g0, g1, g2, g3, g4, g5, g6 = 0, g7 = 0] = groups;
  const low = `${g6 >> 8}.${g6 & 255}.${g7 >> 8}.${g7 & 255}`;
  const zeroTo4 = g0 === 0 && g1 === 0 && g2 === 0 && g3 === 0;
  if (zeroTo4 && g4 === 0 && g5 === 0xffff) return { address: low, sameHost: true };
  // SIIT ::ffff:0:a.b.c.d (RFC 2765), IPv4-compatible ::a.b.c.d (RFC 4291 2.5.5.1; :: and ::1 are addresses of their own).
  if (zeroTo4 && g4 === 0xffff && g5 === 0) return { address: low, sameHost: false };
  if (zeroTo4 && g4 === 0 && g5 === 0 && (g6 !== 0 || g7 > 1)) return { address: low, sameHost: false };
  // NAT64 well-known prefix (RFC 6052) and ISATAP interface ids (RFC 5214).
  const nat64 = g0 === 0x64 && g1 === 0xff9b && g2 === 0 && g3 === 0 && g4 === 0 && g5 === 0;
  const isatap = (g4 === 0 || g4 === 0x200) && g5 === 0x5efe;
  return nat64 || isatap ? { address: low, sameHost: false } : null;
}

// WHATWG URL serialises any valid IPv6 literal as hexadecimal groups with at most one '::'.
function ipv6Groups(address: string): number[] {
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = new Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...middle, ...right].map((group) => Number.parseInt(group, 16));
}
