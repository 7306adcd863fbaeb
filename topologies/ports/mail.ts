// Outbound mail: one message to one explicit envelope over one SMTP connection definition.

export interface SmtpServer {
  readonly host: string;
  readonly port: number;
  /** 'tls' from the first byte, 'starttls' required, 'opportunistic' STARTTLS when offered, 'none'. */
  readonly security: 'tls' | 'starttls' | 'opportunistic' | 'none';
  readonly auth?: { readonly user: string; readonly password: string };
  readonly ca?: string;
  /** Name in EHLO. */
  readonly clientName?: string;
  readonly timeoutMs: number;
  /** Addresses this server may resolve to beyond what the egress mode allows, as CIDR. */
  readonly allowCidrs?: readonly string[];
}

export interface MailMessage {
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
  readonly from: string;
  readonly to: readonly string[];
  readonly replyTo?: string;
  readonly subject: string;
  readonly messageId: string;
  /** Epoch milliseconds for the Date header. */
  readonly date: number;
  readonly text: string;
  readonly html?: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly attachments: readonly {
    readonly filename: string;
    readonly contentType: string;
    readonly content: Buffer;
  }[];
}

export interface MailReceipt {
  readonly accepted: readonly string[];
  readonly rejected: readonly {
    readonly address: string;
    readonly code: number;
    readonly response: string;
  }[];
  /** The server's answer to the final dot. */
  readonly response: string;
}

/** 'permanent' is a 5xx, 'transient' a 4xx; 'uncertain' means the message may have been accepted (lost after the final dot). */
export type MailFailureClass =
  | 'denied'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'auth'
  | 'timeout'
  | 'transient'
  | 'permanent'
  | 'uncertain';

export class MailFailure extends Error {
  readonly failure: MailFailureClass;
  readonly code: number | null;
  constructor(failure: MailFailureClass, message: string, options: { code?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'MailFailure';
    this.failure = failure;
    this.code = options.code ?? null;
  }
}

export interface MailPort {
  /** Resolves when at least one recipient was accepted; rejects with MailFailure only. */
  send(server: SmtpServer, message: MailMessage): Promise<MailReceipt>;
}

/** For checks of connections. */
export interface MailCheckPort {
  /** Greets, encrypts, logs in and leaves, without a message. Rejects with MailFailure only. */
  greet(server: SmtpServer): Promise<void>;
}
