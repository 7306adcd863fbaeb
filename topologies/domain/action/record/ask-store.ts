// Asks a store of ours: what it says when it is not there becomes a failure that is tried again.
import { StoreUnavailable } from '../../../ports/store-unavailable.ts';
import { failed } from '../fail.ts';
import type { Failed } from '../outcome.ts';

/** A repeat is harmless: the store knows the command. Rejects with anything that is a defect. */
export async function askStore<T>(work: () => Promise<T>): Promise<T | Failed> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StoreUnavailable) return failed('store', 'the database does not answer', 'backoff');
    throw error;
  }
}
