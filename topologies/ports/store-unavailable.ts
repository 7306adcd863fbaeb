// How the stores of incidents, risk and techniques say "not now".

/** The database does not answer or is too busy. The same call may be made again: what it wrote the first time is not written twice. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}
