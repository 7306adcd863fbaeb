// Failed outcomes in one line, and the outcome of a template that could not be rendered.
import { formatIssues, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import { TemplateError } from '../templates/parse.ts';
import type { Failed, FailureCode } from './outcome.ts';

/** A failure; `detail` is cut to what a result may hold. */
export function failed(code: FailureCode, detail: string, retry: Failed['retry'] = 'never'): Failed {
  return { status: 'failed', code, retry, detail: detail.slice(0, 1024) };
}

/** A rendered body that the receiver would refuse: the tokens without a value, which are the usual cause, and what is wrong. */
export function invalidBody(missing: readonly string[], issues: readonly Issue[]): Failed {
  return failed(
    'invalid_body',
    [...missing.map((name) => `{{${name}}} has no value`), formatIssues(issues)].join('; '),
  );
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
