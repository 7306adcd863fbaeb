// Where everything local lives: one folder that can be deleted to start from nothing (default `.tocsin` in the checkout).
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const repository = resolve(fileURLToPath(new URL('../..', import.meta.url)));

/** `TOCSIN_HOME`, or `.tocsin` in the checkout; always absolute. */
export function tocsinHome(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.TOCSIN_HOME || `${repository}/.tocsin`);
}
