// Where the outcomes of checks of connections are kept until whoever asked has read them.
import type { CheckOutcome } from '../domain/check/outcome.ts';

export interface StoredCheck extends CheckOutcome {
  readonly latency_ms: number;
  /** Host name of the worker that made it. */
  readonly worker: string;
}

export interface CheckStorePort {
  /** Stores the outcome of a request; the first one stays. `at`: epoch ms. */
  write(request: string, connection: string, at: number, check: StoredCheck): Promise<void>;
}
