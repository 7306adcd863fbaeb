// The mail port over nodemailer's SMTP session: one connection per message, over a socket that the egress policy has checked.
// Invariant: resolves only after the server took responsibility (2xx to the final dot); the total time is bounded.
// Surprise: the session gets the message as a stream of small pieces, because the moment its last piece is read is the only sign
// that the final dot is being written; a loss after it is 'uncertain'.
import { hostname } from 'node:os';
import { Readable } from 'node:stream';
import {
  type MailCheckPort,
  MailFailure,
  type MailMessage,
  type MailPort,
  type MailReceipt,
  type SmtpServer,
} from '@tocsin/topologies/ports/mail.ts';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { connectGuarded } from '../http/connect.ts';
import { createEgressPolicy, type EgressPolicy, plainHost } from '../http/egress-policy.ts';
import { type Lookup, lookupSystem } from '../http/resolve.ts';
import { classifySmtp, type SmtpError } from './classify.ts';
import { composeMessage } from './compose.ts';

export interface MailerSettings {
  /** Default: mode open with nothing added. */
  readonly egress?: EgressPolicy;
  readonly lookup?: Lookup;
  readonly connectTimeoutMs?: number;
}

const PIECE_BYTES = 16 * 1024;
const MAX_REPLY_BYTES = 64 * 1024;
/** How long the end of a session is waited for after QUIT; the message is the server's already. */
const QUIT_WAIT_MS = 500;

/** See MailPort. Bound the concurrency per server outside; each call opens a connection. */
export function createMailer(settings: MailerSettings = {}): MailPort & MailCheckPort {
  const egress = settings.egress ?? createEgressPolicy({ mode: 'open' });
  const lookup = settings.lookup ?? lookupSystem;
  const connectTimeoutMs = settings.connectTimeoutMs ?? 10_000;
  return {
    async send(server, message) {
      const deadline = performance.now() + server.timeoutMs;
      const bytes = await composeMessage(message);
      const { session, leftMs } = await open(server, deadline);
      return transact(session, server, message, bytes, leftMs);
    },
    async greet(server) {
      const { session, leftMs } = await open(server, performance.now() + server.timeoutMs);
      return greet(session, server, leftMs);
    },
  };

  async function open(server: SmtpServer, deadline: number) {
    const left = (): number => Math.max(1, deadline - performance.now());
    const socket = await connect(server, egress, lookup, Math.min(connectTimeoutMs, left()));
    const session = new SMTPConnection({
      connection: socket,
      host: plainHost(server.host),
      port: server.port,
      secure: server.security === 'tls',
      requireTLS: server.security === 'starttls',
      opportunisticTLS: server.security === 'opportunistic',
      ignoreTLS: server.security === 'none',
      name: server.clientName ?? hostname(),
      tls: {
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
        ...(server.ca === undefined ? {} : { ca: server.ca }),
      },
      connectionTimeout: left(),
      greetingTimeout: left(),
      socketTimeout: left(),
      socketCloseTimeout: 1_000,
      maxResponseSize: MAX_REPLY_BYTES,
    });
    return { session, leftMs: left() };
  }
}

type Session = InstanceType<typeof SMTPConnection>;

function transact(
  session: Session,
  server: SmtpServer,
  message: MailMessage,
  bytes: Buffer,
  timeoutMs: number,
): Promise<MailReceipt> {
  return new Promise((resolve, reject) => {
    let dotWritten = false;
    let over = false;
    const fail = (error: Error): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      session.close();
      reject(classifySmtp(error as SmtpError, dotWritten));
    };
    const timer = setTimeout(
      () =>
        fail(
          new MailFailure(
            dotWritten ? 'uncertain' : 'timeout',
            `not done within ${Math.round(timeoutMs)} ms`,
          ),
        ),
      timeoutMs,
    );
    const submit = (): void => {
      const pieces = Readable.from(piecesOf(bytes), { objectMode: false });
      pieces.once('end', () => {
        dotWritten = true;
      });
      const envelope = { from: message.envelope.from, to: [...message.envelope.to], size: bytes.length };
      session.send(envelope, pieces, (error, info) => {
        if (error || info === undefined) {
          fail(error ?? new Error('no answer'));
          return;
        }
        if (over) return;
        over = true;
        clearTimeout(timer);
        // The next session of the lane begins when this one is gone: servers count connections, and answer one too many with 421.
        const done = (): void => resolve(receiptOf(info as SendInfo));
        const gone = setTimeout(done, QUIT_WAIT_MS);
        session.once('end', () => {
          clearTimeout(gone);
          done();
        });
        session.quit();
      });
    };
    logIn(session, server, fail, () => over || submit());
  });
}

function logIn(session: Session, server: SmtpServer, fail: (error: Error) => void, done: () => void): void {
  // Errors outside of a command, and after the session is over, come only here.
  session.on('error', fail);
  session.connect((error) => {
    if (error) fail(error);
    else if (server.auth === undefined) done();
    else {
      const { user, password: pass } = server.auth;
      session.login({ credentials: { user, pass } }, (refused) => (refused ? fail(refused) : done()));
    }
  });
}

/** Everything before a message, and QUIT. */
function greet(session: Session, server: SmtpServer, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      clearTimeout(timer);
      session.close();
      reject(classifySmtp(error as SmtpError, false));
    };
    const timer = setTimeout(
      () => fail(new MailFailure('timeout', `not done within ${Math.round(timeoutMs)} ms`)),
      timeoutMs,
    );
    logIn(session, server, fail, () => {
      clearTimeout(timer);
      session.quit();
      resolve();
    });
  });
}

interface SendInfo {
  readonly accepted?: readonly string[];
  readonly rejectedErrors?: readonly (SmtpError & { readonly recipient?: string })[];
  readonly response?: string;
}

function receiptOf(info: SendInfo): MailReceipt {
  return {
    accepted: [...(info.accepted ?? [])],
    rejected: (info.rejectedErrors ?? []).map((error) => ({
      address: error.recipient ?? '',
      code: error.responseCode ?? 0,
      response: error.response ?? error.message,
    })),
    response: info.response ?? '',
  };
}

async function connect(server: SmtpServer, egress: EgressPolicy, lookup: Lookup, timeoutMs: number) {
  try {
    const host = plainHost(server.host);
    const destination = egress.destination(host, server.allowCidrs);
    const target = { hostname: host, port: String(server.port), protocol: 'smtp:' };
    return await new Promise<NonNullable<Parameters<Parameters<typeof connectGuarded>[2]>[1]>>(
      (resolve, reject) => {
        connectGuarded(target, { destination, lookup, tls: {}, timeoutMs }, (error, socket) =>
          socket === null ? reject(error) : resolve(socket),
        );
      },
    );
  } catch (error) {
    // A malformed range in the connection's list refuses, it does not widen.
    if (error instanceof RangeError) throw new MailFailure('denied', error.message);
    throw classifySmtp(error as Error, false);
  }
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}
