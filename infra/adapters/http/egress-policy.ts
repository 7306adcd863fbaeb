// Which destinations may be contacted, decided from names and addresses alone: no DNS, no sockets.
// Invariant: whatever is not clearly allowed is refused, and a forbidden address (see address.ts) is refused in every mode.
// Surprise: a range listed for one request opens only that request; an allowed name opens public addresses, never private ones,
// so that a name whose DNS answer moves inside (rebinding) is refused.
import { type BlockList, isIP } from 'node:net';
import { cidrList, classifyAddress, listHolds } from './address.ts';

/**
 * open: every public address. allowlist: only names in allowHosts and ranges in allowCidrs.
 * airgapped: private ranges, plus what allowlist would let through.
 */
export type EgressMode = 'open' | 'allowlist' | 'airgapped';

export interface EgressSettings {
  readonly mode: EgressMode;
  /** Names (`hooks.example.org`) or whole subtrees (`*.example.org`); case and a trailing dot do not matter. */
  readonly allowHosts?: readonly string[];
  /** Ranges that every destination may use, private and loopback included. */
  readonly allowCidrs?: readonly string[];
  /** Ranges that are refused always, for example our own brokers and databases. */
  readonly denyCidrs?: readonly string[];
}

/** The policy for one destination. Both functions give null for allowed, or the reason in one line. */
export interface Destination {
  /** Before anything is resolved: the host as the URL names it, literal or name. */
  refuseHost(): string | null;
  /** Each address the name resolved to, and the address that the socket ended up with. */
  refuseAddress(address: string): string | null;
}

export interface EgressPolicy {
  /**
   * `host` as WHATWG URL's `hostname` gives it (brackets allowed). `allowCidrs` are the ranges that the destination's owner listed.
   * Throws RangeError for an entry that is no CIDR range.
   */
  destination(host: string, allowCidrs?: readonly string[]): Destination;
}

/** Throws RangeError when the settings hold an entry that is no CIDR range. */
export function createEgressPolicy(settings: EgressSettings): EgressPolicy {
  const allowed = cidrList(settings.allowCidrs ?? []);
  const denied = cidrList(settings.denyCidrs ?? []);
  const anyAllowed = (settings.allowCidrs ?? []).length > 0;
  const names = (settings.allowHosts ?? []).map(plainHost);
  return {
    destination(host, allowCidrs = []) {
      const name = plainHost(host);
      const own = allowCidrs.length > 0 ? cidrList(allowCidrs) : null;
      const listed = names.some((pattern) => matches(pattern, name));
      const refuseAddress = (address: string): string | null =>
        judge(address, { mode: settings.mode, allowed, denied, own, listed });
      return {
        refuseAddress,
        refuseHost() {
          if (name === '') return 'empty host';
          if (isIP(name) !== 0) return refuseAddress(name);
          if (isLocalName(name)) return refuseAddress('127.0.0.1');
          // Without any range to land in, an unlisted name cannot succeed; not resolving it keeps it out of DNS too.
          if (settings.mode === 'allowlist' && !listed && !anyAllowed && own === null) {
            return `${name} is not in the list of allowed hosts`;
          }
          return null;
        },
      };
    },
  };
}

/** Lower case, no brackets, no trailing dot: `[::1]` -> `::1`, `Localhost.` -> `localhost`. */
export function plainHost(host: string): string {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  return bare.toLowerCase().replace(/\.+$/, '');
}

interface Rules {
  readonly mode: EgressMode;
  readonly allowed: BlockList;
  readonly denied: BlockList;
  readonly own: BlockList | null;
  readonly listed: boolean;
}

function judge(address: string, rules: Rules): string | null {
  const kind = classifyAddress(address);
  if (kind === 'forbidden') return `${address} is never allowed`;
  if (listHolds(rules.denied, address)) return `${address} is in a denied range`;
  if (listHolds(rules.allowed, address)) return null;
  if (rules.own !== null && listHolds(rules.own, address)) return null;
  if (kind === 'loopback') return `${address} is a loopback address`;
  if (kind === 'private') return rules.mode === 'airgapped' ? null : `${address} is a private address`;
  if (rules.mode === 'open' || rules.listed) return null;
  return `${address} is not in an allowed range`;
}

function matches(pattern: string, name: string): boolean {
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
}

// RFC 6761 6.3: these names mean loopback whatever DNS says.
function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}
