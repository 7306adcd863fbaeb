// cidr: an element is the text of an IP address within one of the networks.
import { type Network, parseNetwork, readAddress } from '../address.ts';
import { createNetworkSet } from '../networks.ts';
import type { Operator, Part } from './operator.ts';
import { entriesOf } from './values.ts';

export interface CidrTest {
  readonly op: 'cidr';
  readonly ranges: readonly Network[];
}

export const cidrOperator: Operator<CidrTest> = {
  parse(part) {
    if (part.comparison !== 'text') return part.refuse('this operator does not fit here');
    const ranges = entriesOf(part)?.map(parseRange) ?? null;
    return ranges === null || ranges.includes(null) ? null : { op: 'cidr', ranges: ranges as Network[] };
  },
  compile({ ranges }) {
    const isWithin = createNetworkSet(ranges);
    const holds = (element: unknown): boolean => {
      const address = typeof element === 'string' ? readAddress(element) : undefined;
      return address !== undefined && isWithin(address);
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};

function parseRange(part: Part): Network | null {
  const network = parseNetwork(typeof part.value === 'string' ? part.value : '');
  return 'error' in network ? part.refuse(network.error) : network;
}
