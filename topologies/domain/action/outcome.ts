// The result of one attempt to carry out a command. Expected failures are returned; a throw is a bug.

/** The closed list of failure codes; also a metric label and the reason in dead letters. See docs/generated/errors.md. */
export const failureCodes = {
  denied:
    'The egress policy does not allow the destination, or the command lacks the grant of its privileged type.',
  invalid_params: 'The parameters do not fit the action type.',
  template: 'A template could not be rendered.',
  invalid_recipient: 'A mail address is not one plain mailbox.',
  reserved_header: 'A header name is reserved or malformed.',
  invalid_body: 'The rendered body is not valid for its content type.',
  too_large: 'The message is larger than the limit of the destination.',
  secret: 'A credential could not be resolved.',
  unknown_action: 'The command names an action type that this worker does not know.',
  unknown_connection: 'The connection does not exist or is disabled.',
  http_3xx: 'The receiver redirected; redirects are not followed.',
  http_4xx: 'The receiver refused the request.',
  http_401_403: 'The receiver refused the credentials.',
  http_410: 'The receiver is gone.',
  http_429: 'The receiver asked to slow down.',
  http_5xx: 'The receiver failed.',
  http_unexpected: 'The receiver answered with a status that is not classified.',
  bad_response: 'The receiver answered with a body that does not mean success.',
  missing_ref: 'The ticket that the action is to change is not known.',
  not_found: 'The ticket does not exist any more, or the account cannot see it.',
  wrong_state: 'The state of the ticket does not allow it: closed, or without such a transition.',
  dns: 'The host name could not be resolved.',
  connect: 'The connection could not be made.',
  tls: 'The TLS handshake failed or the certificate is not trusted.',
  busy: 'The worker had no connection free before the deadline; all are in use for other destinations.',
  timeout: 'No complete answer came before the deadline.',
  reset: 'The connection broke before an answer came.',
  protocol: 'The answer is not valid HTTP.',
  aborted: 'The worker is stopping.',
  smtp_transient: 'The mail server refused for now (4xx).',
  smtp_permanent: 'The mail server refused (5xx).',
  smtp_auth: 'The mail server refused the credentials.',
  db_auth: 'The database refused the credentials.',
  db_busy: 'The database could not do it now: a conflict with others, a shortage, a restart.',
  db_unique: 'The database has such a row already.',
  db_constraint: 'A constraint of the table refused the row.',
  db_value: 'A value does not fit its column.',
  db_object: 'The table or a column does not exist, or may not be used.',
  db_rejected: 'The database refused the statement for another reason.',
  index_name: 'The rendered name is not one that an index can have.',
  index_missing: 'The index does not exist and is not created by itself.',
  index_mapping: 'The document does not fit the mapping of the index.',
  index_rejected: 'The search cluster refused the document for another reason.',
  uncertain: 'The effect may have happened and must not be repeated without a decision.',
  script_refused:
    'The host does not run such a script, or not with these arguments; or a value would become an option.',
  script_failed: 'The script ended with an exit code other than 0, or by a signal.',
  script_busy: 'The host runs as many scripts as it may.',
  script_auth: 'The host of the scripts refused the credentials.',
  host_key: 'The SSH server showed a host key that is not pinned.',
  cancelled: 'Whoever called for the command gave it up before it was begun.',
  cancelled_uncertain:
    'It was broken off, by its time limit or by whoever called for it; a part of it may have happened.',
  topic: 'A record for another system could not be written to its topic.',
  store: 'The database that keeps what the action records did not answer.',
  disk: 'A file of the worker could not be written.',
  loop_detected: 'The event has passed through too many actions.',
  exhausted: 'All attempts failed.',
  bug: 'The action threw; this is a defect.',
} as const;

export type FailureCode = keyof typeof failureCodes;

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Which parts of a command are done, in the words of its action type: they are done, whoever reads it. At most some 16 KiB, secret-free; an
 * action begins anew where it cannot read what another version wrote.
 */
export type Progress = { readonly [part: string]: Json };

export interface Done {
  readonly status: 'done';
  /** Identifier that the receiver gave: issue key, message id, document id. */
  readonly ref?: string;
  /** Small, secret-free facts for history and later steps. */
  readonly output?: Json;
  /** Things a person should know although it worked: a missing token, a dropped body. */
  readonly warnings?: readonly string[];
  /** Parts that did not get through while the rest did, which must not be repeated: each becomes a dead letter of its own. */
  readonly undelivered?: readonly Undelivered[];
}

export interface Undelivered {
  /** Who or what was not reached: a mail address. */
  readonly to: string;
  readonly code: FailureCode;
  /** One line for people, secret-free. */
  readonly detail: string;
}

export interface Failed {
  readonly status: 'failed';
  readonly code: FailureCode;
  /**
   * never: dead letter now. backoff: the retry policy decides. afterMs: not before that. pause: the destination is
   * misconfigured or refuses our credentials; hold its commands and probe, burn no attempts.
   */
  readonly retry: 'never' | 'backoff' | 'pause' | { readonly afterMs: number };
  /** One line for people, secret-free, at most 1,024 characters. */
  readonly detail: string;
  /** The effect may have happened before the failure. */
  readonly uncertain?: boolean;
  /** What it left behind before it failed; small and secret-free. */
  readonly output?: Json;
  /** HTTP status or SMTP code, where there was one. */
  readonly status_code?: number;
}

export type Outcome = Done | Failed;
