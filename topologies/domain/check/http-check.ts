// The check of an HTTP connection: which path is read with GET, and what the answer says about the way and the credential.
//
// Surprise: a 2xx proves a credential only at a path that asks for one; at any other it proves the way alone.

import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import type { HttpConnection } from '@tocsin/schemas/types.ts';
import type { HttpResponse } from '../../ports/http.ts';
import type { ActionManifest } from '../action/define-action.ts';
import { judgeHttp } from '../action/judge-http.ts';
import { type CheckOutcome, checkFailed, checkOk } from './outcome.ts';

export interface HttpQuestion {
  /** Below base_path. */
  readonly path: string;
  /** A 2xx means that the credential is valid. */
  readonly asksWho: boolean;
  /** Member of the answer that must be true as well. */
  readonly member?: string;
}

/**
 * What to ask: the connection's own path, or that of the product when all `users`, the types of the actions that use the connection, mean
 * the same one; else the root. An address that is a credential itself (secret_path) has nobody to ask: whatever is sent there is a message.
 */
export function httpQuestion(
  config: HttpConnection,
  users: readonly Pick<ActionManifest, 'whoami'>[],
): HttpQuestion {
  if (config.check_path !== undefined) return { path: config.check_path, asksWho: true };
  const known = users.flatMap(({ whoami }) => whoami ?? []);
  const [whoami] = known;
  const agree = known.length === users.length && known.every(({ path }) => path === whoami?.path);
  const byAddress = config.secrets?.['secret_path'] !== undefined;
  if (whoami === undefined || !agree || byAddress) return { path: '/', asksWho: false };
  return { ...whoami, asksWho: true };
}

/** `credential`: the request carried one. `did` names the request for people. */
export function judgeHttpCheck(
  response: HttpResponse,
  { asksWho, member }: HttpQuestion,
  { credential, did, now }: { readonly credential: boolean; readonly did: string; readonly now: number },
): CheckOutcome {
  const { status } = response;
  if (status === 401 || status === 407)
    return checkFailed('auth', `answered ${status}: the credential is not accepted`, did);
  // Known, and not allowed to read this; or not known, as some products say it.
  if (status === 403)
    return checkFailed('http_401_403', 'answered 403: this credential may not read it', did);
  const judged = judgeHttp(response, { subject: did, now });
  if (judged.status === 'done') {
    if (member !== undefined && memberOf(response.body, member) !== true)
      return checkFailed('auth', `answered ${status}, and says that the credential is not valid`, did);
    const authenticated = asksWho && credential ? true : null;
    return checkOk(authenticated, `answered ${status}`, did);
  }
  if (asksWho || status >= 500) return checkFailed(judged.code, `answered ${status}`, did);
  // A root that nobody serves: there is somebody who speaks HTTP.
  return checkOk(null, `answered ${status}, which says nothing about a credential; set check_path`, did);
}

function memberOf(body: Buffer, member: string): unknown {
  const parsed = parseJson(body);
  return parsed.ok && typeof parsed.value === 'object' && parsed.value !== null
    ? (parsed.value as Record<string, unknown>)[member]
    : undefined;
}
