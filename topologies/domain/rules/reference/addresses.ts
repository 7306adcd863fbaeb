// The reference evaluator's own reading of IP addresses: Node and the WHATWG URL parser decide what an address is, big integers compare.
import { isIPv4, isIPv6 } from 'node:net';

interface Numbered {
  readonly width: 32 | 128;
  readonly value: bigint;
}

/** An element of the data: ports, brackets and zones as logs write them are left away. */
export function addressIn(text: string): Numbered | null {
  const bracketed = /^\[([^[\]]*)\](?::([0-9]{1,5}))?$/.exec(text);
  if (bracketed !== null) {
    const inner = bracketed[1] as string;
    return Number(bracketed[2] ?? 0) <= 65_535 && isIPv6(inner) && hasZoneOfLogs(inner)
      ? numbered(inner)
      : null;
  }
  const parts = text.split(':');
  if (parts.length === 2) {
    const [host = '', port = ''] = parts;
    return isIPv4(host) && /^[0-9]{1,5}$/.test(port) && Number(port) <= 65_535 ? numbered(host) : null;
  }
  return isIPv4(text) || isIPv6(text) ? numbered(text) : null;
}

// Zones within brackets are made of the characters that names of interfaces have.
function hasZoneOfLogs(text: string): boolean {
  return /^[^%]*(?:%[0-9a-z._:-]+)?$/i.test(text);
}

/** A bare address; IPv4 written as IPv6 is IPv4. */
export function numbered(text: string): Numbered {
  if (isIPv4(text)) {
    const value = text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
    return { width: 32, value };
  }
  const bare = text.split('%')[0] as string;
  const canonical = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const middle = Array<string>(8 - left.length - right.length).fill('0');
  const value = [...left, ...middle, ...right].reduce(
    (sum, group) => sum * 65_536n + BigInt(`0x${group}`),
    0n,
  );
  return value >> 32n === 0xffffn ? { width: 32, value: value & 0xffff_ffffn } : { width: 128, value };
}

/** Whether the address lies in a network as rules write it. */
export function isWithin({ width, value }: Numbered, network: string): boolean {
  const [given = '', length] = network.split('/');
  const base = numbered(given);
  if (base.width !== width) return false;
  const mapped = width === 32 && given.includes(':') ? 96 : 0;
  const bits = length === undefined ? width : Number(length) - mapped;
  const shift = BigInt(width - bits);
  return value >> shift === base.value >> shift;
}
