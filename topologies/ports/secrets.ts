// Secret values are resolved only where an effect is carried out, and only through this port.

import type { SecretRef } from '@tocsin/schemas/types.ts';

/** A secret that does not print itself: only `reveal` gives the text. */
export class SecretValue {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '[secret]';
  }
  toJSON(): string {
    return '[secret]';
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}

/** The reference cannot be resolved: unknown, destroyed, not readable. The message names the reference, never a value. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
}

export interface SecretsPort {
  /** Rejects with SecretError when the reference has no value. */
  resolve(ref: SecretRef): Promise<SecretValue>;
}
