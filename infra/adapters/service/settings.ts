// Settings that every service has, read from the environment that its config file hands over.
import type { ServiceSettings } from './run-service.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A setting is missing or malformed; the message names the variable and what it must be. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

/** HTTP_HOST, HTTP_PORT (0 = any free port), LOG_LEVEL. */
export function serviceSettings(name: string, env: Environment): ServiceSettings {
  return {
    name,
    host: env['HTTP_HOST'] ?? '127.0.0.1',
    port: integer(env, 'HTTP_PORT', 0, { min: 0, max: 65_535 }),
    logLevel: oneOf(env, 'LOG_LEVEL', 'info', ['debug', 'info', 'warn', 'error']),
  };
}

export function required(env: Environment, name: string, meaning: string): string {
  const value = env[name];
  if (value === undefined || value === '') throw new SettingError(`${name} is not set: ${meaning}`);
  return value;
}

export function integer(
  env: Environment,
  name: string,
  fallback: number,
  range: { min: number; max: number },
): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < range.min || value > range.max)
    throw new SettingError(
      `${name} must be a whole number from ${range.min} to ${range.max}, not ${JSON.stringify(text)}`,
    );
  return value;
}

export function oneOf<const Choice extends string>(
  env: Environment,
  name: string,
  fallback: Choice,
  choices: readonly Choice[],
): Choice {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const found = choices.find((choice) => choice === text);
  if (found === undefined)
    throw new SettingError(`${name} must be one of ${choices.join(', ')}, not ${JSON.stringify(text)}`);
  return found;
}

/** Comma-separated words; the fallback when unset. */
export function list(env: Environment, name: string, fallback: readonly string[]): readonly string[] {
  const text = env[name];
  if (text === undefined || text.trim() === '') return fallback;
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
