// IP addresses and networks as texts: RFC 4291 section 2.2 for IPv6, four decimal numbers for IPv4.
//
// Invariant: an IPv4 address that is written as IPv6 (::ffff:10.0.0.1, RFC 4291 section 2.5.5.2) is that IPv4 address,
// in data and in rules, so that no network has two forms. Leading zeros (010.0.0.1) are no address: readers differ
// on whether they are octal.

export interface Address {
  readonly family: 4 | 6;
  /** 4 or 16 bytes, network order. */
  readonly bytes: readonly number[];
}

export interface Network {
  readonly family: 4 | 6;
  /** 4 or 16 bytes, network order; the bits beyond the prefix are 0. */
  readonly address: readonly number[];
  readonly bits: number;
}

const port = /^(?:\[([0-9a-f:.%a-z_-]+)\]|([0-9.]+)(?=:))(?::(\d{1,5}))?$/i;

/**
 * The address in an element of the data, as logs write it: a port behind it (10.0.0.1:443, [::1]:443), brackets and a
 * zone (fe80::1%eth0) are left away. undefined when the text is anything else, spaces around it included.
 */
export function readAddress(text: string): Address | undefined {
  // Longest form: 45 characters, a zone, brackets and a port.
  if (text.length > 128) return undefined;
  const match = port.exec(text);
  if (match === null) return parseAddress(withoutZone(text));
  if (Number(match[3] ?? 0) > 65_535) return undefined;
  const inner = match[1] ?? (match[2] as string);
  const address = parseAddress(withoutZone(inner));
  return match[1] !== undefined && !inner.includes(':') ? undefined : address;
}

function withoutZone(text: string): string {
  const percent = text.indexOf('%');
  return percent > 0 && percent < text.length - 1 && text.includes(':') ? text.slice(0, percent) : text;
}

/** An address and nothing else. */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const bytes = parseIpv4(text);
    return bytes && { family: 4, bytes };
  }
  const bytes = parseIpv6(text);
  if (bytes === undefined) return undefined;
  return isMapped(bytes) ? { family: 4, bytes: bytes.slice(12) } : { family: 6, bytes };
}

function isMapped(bytes: readonly number[]): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff && bytes.slice(0, 10).every((byte) => byte === 0);
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = parts.map((part) => (/^(?:0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  return bytes.some((byte) => byte > 255) ? undefined : bytes;
}

function parseIpv6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => parseGroups(half, index === halves.length - 1));
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 16 ? head : undefined;
  if (tail === undefined || head.length + tail.length > 14) return undefined;
  return [...head, ...Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

// The last group may be an IPv4 address, which is as long as two.
function parseGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (isLast && index === groups.length - 1 && group.includes('.')) {
      const four = parseIpv4(group);
      if (four === undefined) return undefined;
      bytes.push(...four);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

/** The network that a text names: an address, or address/bits; or why it names none. */
export function parseNetwork(text: string): Network | { readonly error: string } {
  const [given = '', length, ...more] = text.split('/');
  const written = parseAddress(given);
  const wrong = { error: 'must be an address or a network such as 10.0.0.0/8 or 2001:db8::/32' };
  if (written === undefined || more.length > 0) return wrong;
  const { family, bytes } = written;
  if (length === undefined) return { family, address: bytes, bits: family === 4 ? 32 : 128 };
  if (!/^(?:0|[1-9]\d{0,2})$/.test(length)) return wrong;
  // The first 96 bits of a mapped address say that it is one.
  const bits = Number(length) - (family === 4 && given.includes(':') ? 96 : 0);
  if (bits < 0) return { error: `${given} is an IPv4 address; its prefix has at least 96 bits` };
  if (bits > bytes.length * 8)
    return { error: `a prefix of IPv${family} has at most ${bytes.length * 8} bits` };
  const address = maskBytes(bytes, bits);
  if (address.some((byte, index) => byte !== bytes[index]))
    return {
      error: `has bits beyond its prefix; the network is ${formatNetwork({ family, address, bits })}`,
    };
  return { family, address, bits };
}

/** The bytes with everything beyond `bits` set to 0. */
export function maskBytes(bytes: readonly number[], bits: number): number[] {
  return bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
}

export function formatNetwork({ family, address, bits }: Network): string {
  if (family === 4) return `${address.join('.')}/${bits}`;
  const groups = Array.from({ length: 8 }, (_, group) =>
    (((address[group * 2] as number) << 8) | (address[group * 2 + 1] as number)).toString(16),
  );
  return `${groups.join(':').replace(/(?:^|:)0(?::0)+(?::|$)/, '::')}/${bits}`;
}
