// Decides what a mail server's answer, or its absence, means.
//
// Sources: RFC 5321 section 4.2 (4xx may be tried again, 5xx not), RFC 3463 (5.3.4 message too big), RFC 1047 (a lost
// answer to the final dot leaves the message in doubt), greylisting practice (451, try again in five minutes).
import type { MailFailure, MailReceipt } from '../../ports/mail.ts';
import { oneLine } from '../dead-letter.ts';
import type { Done, Failed } from './outcome.ts';

/** Servers that greylist refuse a first attempt with 451 and want a pause before the next. */
export const greylistMs = 5 * 60_000;
/** A message in doubt is sent again, with the same Message-ID, not before this. */
export const doubtMs = 15 * 60_000;

/** Codes that refuse the account, whatever phase they come in. */
const refusesUs: ReadonlySet<number> = new Set([454, 530, 534, 535, 538]);
const tooLarge: ReadonlySet<number> = new Set([523, 552]);

/**
 * At least one recipient was accepted: done, because those must not get it twice. Every refused one is undelivered, for
 * good and for now alike: a repeat of the command would reach the accepted ones again.
 */
export function judgeReceipt(receipt: MailReceipt, messageId: string): Done {
  const { accepted, rejected } = receipt;
  return {
    status: 'done',
    ref: messageId,
    output: {
      accepted: [...accepted],
      ...(rejected.length > 0 ? { rejected: rejected.map(({ address, code }) => ({ address, code })) } : {}),
    },
    ...(rejected.length > 0
      ? {
          undelivered: rejected.map(({ address, code, response }) => ({
            to: address,
            code: refusalCode(code),
            detail: `not delivered to ${address}: ${describeAnswer(code, response)}`.slice(0, 1024),
          })),
        }
      : {}),
  };
}

function refusalCode(code: number): Failed['code'] {
  if (code < 500) return 'smtp_transient';
  return tooLarge.has(code) ? 'too_large' : 'smtp_permanent';
}

/** `550 5.1.1 no such user` on one line; servers give the code with their text or without it. */
function describeAnswer(code: number, response: string): string {
  const text = oneLine(response).trim();
  if (text === '') return `the server answered ${code}`;
  return `the server answered ${text.startsWith(String(code)) ? text : `${code} ${text}`}`;
}

/** The outcome when nobody was accepted. `subject` names the server for people. */
export function judgeMailFailure(failure: MailFailure, subject: string): Failed {
  const { code } = failure;
  const base = {
    status: 'failed',
    detail: `${subject}: ${failure.message}`.slice(0, 1024),
    ...(code === null ? {} : { status_code: code }),
  } as const;
  if (failure.failure === 'auth' || (code !== null && refusesUs.has(code)))
    return { ...base, code: 'smtp_auth', retry: 'pause' };
  switch (failure.failure) {
    case 'denied':
      return { ...base, code: 'denied', retry: 'never' };
    case 'dns':
    case 'connect':
    case 'timeout':
      return { ...base, code: failure.failure, retry: 'backoff' };
    case 'tls':
      return { ...base, code: 'tls', retry: 'pause' };
    case 'transient':
      return { ...base, code: 'smtp_transient', retry: code === 451 ? { afterMs: greylistMs } : 'backoff' };
    case 'permanent':
      return {
        ...base,
        code: code !== null && tooLarge.has(code) ? 'too_large' : 'smtp_permanent',
        retry: 'never',
      };
    case 'uncertain':
      return { ...base, code: 'uncertain', retry: { afterMs: doubtMs }, uncertain: true };
  }
}
