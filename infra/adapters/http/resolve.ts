// Name resolution that refuses a name when any of its addresses is refused; shared by HTTP and SMTP.
// Invariant: only addresses that the policy allowed leave this file.
// Surprise: Node does not call a socket's lookup for IP literals, so literals are checked before, by Destination.refuseHost.
import { lookup as systemLookup } from 'node:dns/promises';
import type { Destination } from './egress-policy.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Resolves a host name to all its addresses, as `dns.lookup` with `all` does; rejects with a `code` such as ENOTFOUND. */
export type Lookup = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** The system's resolver, hosts file included, in the order that the system prefers. */
export const lookupSystem: Lookup = (hostname) => systemLookup(hostname, { all: true });

/** The name was resolved, and the policy refuses what it points at. */
export class EgressDenied extends Error {
  override readonly name = 'EgressDenied';
}

/** All addresses of the name; rejects with EgressDenied when one of them is refused, or with the resolver's error. */
export async function resolveAllowed(
  hostname: string,
  destination: Destination,
  lookup: Lookup,
): Promise<readonly ResolvedAddress[]> {
  const addresses = await lookup(hostname);
  if (addresses.length === 0)
    throw Object.assign(new Error(`no address for ${hostname}`), { code: 'ENOTFOUND' });
  for (const { address } of addresses) {
    const reason = destination.refuseAddress(address);
    if (reason !== null) throw new EgressDenied(`${hostname}: ${reason}`);
  }
  return addresses;
}
