// Failed outcomes in one line, and the outcome of a template that could not be rendered.
import { TemplateError } from '../templates/parse.ts';
import type { Failed, FailureCode } from './outcome.ts';

/** A failure; `detail` is cut to what a result may hold. */
export function failed(code: FailureCode, detail: string, retry: Failed['retry'] = 'never'): Failed {
  return { status: 'failed', code, retry, detail: detail.slice(0, 1024) };
}

/** Runs `build`; a template that cannot be rendered becomes a failure that names the field, anything else stays a bug. */
export function withTemplates<T>(build: () => T | Failed): T | Failed {
  try {
    return build();
  } catch (error) {
    if (error instanceof TemplateError) return failed('template', error.message);
    throw error;
  }
}

/** True for a failure among values that are no outcomes. */
export function isFailed(value: unknown): value is Failed {
  return value !== null && typeof value === 'object' && (value as { status?: unknown }).status === 'failed';
}
