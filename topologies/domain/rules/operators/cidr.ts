// cidr: an element is the text of an IP address within one of the networks.
import type { Operator } from './operator.ts';

export interface Network {
  readonly family: 4 | 6;
  /** 4 or 16 bytes, network order; the bits beyond the prefix are 0. */
  readonly address: readonly number[];
  readonly bits: number;
}

export interface CidrTest {
  readonly op: 'cidr';
  readonly ranges: readonly Network[];
}

export const cidrOperator: Operator<CidrTest> = {
  parse: (part) => part.refuse('the operator cidr is not supported in this version'),
  compile: () => ({ on: 'element', holds: () => false, holdsAbsent: false }),
};
