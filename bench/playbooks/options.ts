// What the parts of `bench playbooks` are given.
export interface PartOptions {
  readonly rounds: number;
  /** Runs of one round. */
  readonly runs: number;
  /** Runs that are live when the engine starts again. */
  readonly live: number;
  /** Where the engine leaves a CPU profile. */
  readonly profileFolder: string | undefined;
  /** Prints one line of figures. */
  readonly say: (line: object) => void;
}

/** `value` with at most `digits` after the point. */
export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
