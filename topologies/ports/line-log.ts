// The log file that the `log` action writes: whole lines, durable when the promise resolves.

export interface LineLogPort {
  /** Appends lines (without line feeds inside) and resolves when they are on disk. Rejects when the disk refuses. */
  append(lines: readonly string[]): Promise<void>;
}
