// A set of networks, asked with addresses: one look-up for every prefix length that occurs, however many networks.
import { type Address, maskBytes, type Network } from './address.ts';

export type NetworkSet = (address: Address) => boolean;

export function createNetworkSet(networks: readonly Network[]): NetworkSet {
  const lengths = new Map<string, { bits: number; keys: Set<string> }>();
  for (const { family, address, bits } of networks) {
    const name = `${family}/${bits}`;
    const held = lengths.get(name) ?? { bits, keys: new Set() };
    held.keys.add(address.join('.'));
    lengths.set(name, held);
  }
  const byFamily = (family: 4 | 6) =>
    [...lengths].filter(([name]) => name.startsWith(`${family}/`)).map(([, held]) => held);
  const sets = { 4: byFamily(4), 6: byFamily(6) };
  return ({ family, bytes }) =>
    sets[family].some(({ bits, keys }) => keys.has(maskBytes(bytes, bits).join('.')));
}
