// How commands reach the config API: TOCSIN_URL and TOCSIN_API_KEY, or what `./tocsin up` on this machine made.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiClient, ApiRefused, createApiClient } from '../demo/api.ts';
import { tocsinHome } from '../home.ts';
import { UsageError } from './rules-io.ts';

const here = 'http://127.0.0.1:8080';

/** Throws UsageError when no key is known. */
export function apiOf(env: NodeJS.ProcessEnv): ApiClient {
  const url = env['TOCSIN_URL'] || here;
  if (!URL.canParse(url) || !/^https?:\/\//.test(url))
    throw new UsageError('TOCSIN_URL must be an http or https URL');
  return createApiClient(url.replace(/\/+$/, ''), env['TOCSIN_API_KEY'] || firstKey(env));
}

/** One line for people of what the API answered, or of why it could not be asked; null for anything else. */
export function explainApiError(error: unknown): string | null {
  if (error instanceof ApiRefused) {
    const { code, message, issues } = answerOf(error.body);
    const places = issues.map((issue) => `${issue.path} ${issue.message}`);
    return [`${code ?? error.status}: ${message ?? error.body}`, ...places].join('; ');
  }
  // What fetch throws when there is no answer; its cause has the reason.
  if (error instanceof TypeError && error.message === 'fetch failed')
    return `the API does not answer: ${String((error.cause as Error | undefined)?.message ?? error.cause)}`;
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return 'the API does not answer in time';
  return null;
}

function firstKey(env: NodeJS.ProcessEnv): string {
  const file = join(tocsinHome(env), 'first-api-key');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new UsageError(`no API key: set TOCSIN_API_KEY, or run ./tocsin up, which writes one to ${file}`);
  }
}

interface Answer {
  readonly code?: string;
  readonly message?: string;
  readonly issues: readonly { readonly path: string; readonly message: string }[];
}

function answerOf(body: string): Answer {
  try {
    const { error } = JSON.parse(body) as { error?: Partial<Answer> };
    return { ...error, issues: error?.issues ?? [] };
  } catch {
    return { issues: [] };
  }
}
