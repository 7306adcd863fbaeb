// What the parts of `bench actions` are given.
export { rounded } from '../playbooks/options.ts';

export interface PartOptions {
  readonly destinations: number;
  readonly rounds: number;
  /** Commands of one round. */
  readonly commands: number;
  /** Commands per second of the rounds of `isolation`. */
  readonly rate: number;
  readonly profileFolder: string | undefined;
  /** Prints one line of figures. */
  readonly say: (line: object) => void;
}
