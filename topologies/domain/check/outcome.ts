// What a check of a connection found out, in words that hold for every kind of connection.
//
// Invariant: no value of a secret is in it, plain or in base64, whatever the other side said.

/** `null`: the check could not tell. */
export interface CheckOutcome {
  /** Nothing was found that would keep an action from using it. */
  readonly ok: boolean;
  readonly reachable: boolean | null;
  readonly authenticated: boolean | null;
  /** `ok`, or the class of the failure: denied, dns, connect, tls, host_key, auth, timeout and the like. */
  readonly code: string;
  /** One line for people. */
  readonly detail: string;
  /** What was done there. */
  readonly did: string;
}

/** Nothing was reached, or something else was in the way before it. */
const unreached: ReadonlySet<string> = new Set(['denied', 'dns', 'connect']);
const unknown: ReadonlySet<string> = new Set(['busy', 'timeout', 'aborted', 'secret', 'invalid_params']);

/** The outcome of a failure of any port by its class. */
export function checkFailed(code: string, detail: string, did: string): CheckOutcome {
  return {
    ok: false,
    reachable: unreached.has(code) ? false : unknown.has(code) ? null : true,
    authenticated: code === 'auth' ? false : null,
    code,
    detail,
    did,
  };
}

/** `authenticated` null: there was nothing to log in with, or nothing that asked. */
export function checkOk(authenticated: true | null, detail: string, did: string): CheckOutcome {
  return { ok: true, reachable: true, authenticated, code: 'ok', detail, did };
}

const maxDetail = 500;

/** Without these values, on one line, cut. */
export function withoutSecrets(outcome: CheckOutcome, values: readonly string[]): CheckOutcome {
  // Longest first: one secret may be a part of another.
  const forms = values
    .flatMap((value) => [value, Buffer.from(value).toString('base64')])
    .filter((form) => form.length > 0)
    .sort((one, other) => other.length - one.length);
  const clean = (text: string): string =>
    forms
      .reduce((left, form) => left.replaceAll(form, '[redacted]'), text)
      .replaceAll(/\s+/g, ' ')
      .slice(0, maxDetail)
      .toWellFormed();
  return { ...outcome, detail: clean(outcome.detail), did: clean(outcome.did) };
}
