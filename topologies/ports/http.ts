// Outbound HTTP through the one guarded client: no redirects, total deadline, response cap, destination checks.

export interface HttpTls {
  /** PEM bundle of the certificate authorities to trust instead of the system's. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Default true; false is allowed only with an explicit setting of the connection. */
  readonly verify?: boolean;
  readonly servername?: string;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute http or https URL without credentials. */
  readonly url: string;
  /** Several entries of one name are sent as several lines. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: Buffer | string;
  /** Total time from call to last byte, ms. */
  readonly timeoutMs: number;
  readonly tls?: HttpTls;
  /** Response bytes kept; the rest is cut off, not an error. Default 64 KiB. */
  readonly maxResponseBytes?: number;
  readonly signal?: AbortSignal;
  /** Addresses this destination may resolve to beyond what the egress mode allows, as CIDR. */
  readonly allowCidrs?: readonly string[];
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; several lines of one name are joined with ', '. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** True when the body was longer than maxResponseBytes, or the deadline came while it dripped. */
  readonly truncated: boolean;
}

/** Why no response came. 'sent' tells whether request bytes may have reached the receiver. */
export type HttpFailureClass =
  | 'denied'
  | 'dns'
  | 'connect'
  | 'tls'
  /** No connection of this process was free before the deadline; says nothing of the receiver. */
  | 'busy'
  | 'timeout'
  | 'reset'
  | 'protocol'
  | 'aborted';

export class HttpFailure extends Error {
  readonly failure: HttpFailureClass;
  readonly sent: boolean;
  constructor(failure: HttpFailureClass, message: string, options: { sent: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'HttpFailure';
    this.failure = failure;
    this.sent = options.sent;
  }
}

export interface HttpPort {
  /** Resolves with any response, whatever its status; rejects with HttpFailure only. */
  send(request: HttpRequest): Promise<HttpResponse>;
}
