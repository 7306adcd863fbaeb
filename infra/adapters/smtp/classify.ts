// Turns what the SMTP session reports into the closed list of mail failure classes.
// Invariant: once the final dot may have been written, only an answer of the server takes the doubt away.
// Surprise: an answer wins over everything: a 5xx to the final dot followed by a reset is 'permanent', not 'uncertain'.
import { HttpFailure } from '@tocsin/topologies/ports/http.ts';
import { MailFailure, type MailFailureClass } from '@tocsin/topologies/ports/mail.ts';
import { isTlsCode } from '../http/tls-code.ts';

/** The fields that nodemailer puts on its errors. */
export interface SmtpError extends Error {
  readonly code?: string;
  readonly originalCode?: string;
  readonly response?: string;
  readonly responseCode?: number;
}

/** `dotWritten`: the whole message and the final dot were handed to the socket. */
export function classifySmtp(error: SmtpError, dotWritten: boolean): MailFailure {
  if (error instanceof MailFailure) return error;
  if (error instanceof HttpFailure) return connectFailure(error);
  const failure = failureClass(error, dotWritten);
  const options = { cause: error, ...(error.responseCode === undefined ? {} : { code: error.responseCode }) };
  return new MailFailure(failure, describe(error), options);
}

function failureClass(error: SmtpError, dotWritten: boolean): MailFailureClass {
  const { code, responseCode = 0 } = error;
  if (responseCode >= 400 && responseCode < 500) return 'transient';
  if (code === 'EAUTH') return 'auth';
  // A server that refuses STARTTLS with a 5xx may still take the mail once that is put right.
  if (code === 'ETLS') return 'tls';
  if (responseCode >= 500) return 'permanent';
  if (dotWritten) return 'uncertain';
  if (isTlsTrouble(error)) return 'tls';
  if (code === 'ETIMEDOUT') return 'timeout';
  // Refused by our own side before anything was sent: too large for the server's SIZE, no valid recipient.
  if (code === 'EMESSAGE' || code === 'EENVELOPE') return 'permanent';
  if (code === 'EPROTOCOL') return 'transient';
  return 'connect';
}

// Certificate trouble during STARTTLS arrives as a socket error with OpenSSL's code beside it.
function isTlsTrouble(error: SmtpError): boolean {
  return isTlsCode(error.originalCode);
}

function connectFailure(error: HttpFailure): MailFailure {
  const same =
    error.failure === 'denied' ||
    error.failure === 'dns' ||
    error.failure === 'connect' ||
    error.failure === 'tls';
  return new MailFailure(same ? (error.failure as MailFailureClass) : 'connect', error.message, {
    cause: error,
  });
}

function describe(error: SmtpError): string {
  // One line: server answers may have several.
  return error.message.replaceAll(/\s+/g, ' ').slice(0, 512);
}
