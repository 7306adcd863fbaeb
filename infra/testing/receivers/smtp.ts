// A mail server that takes everything, or misbehaves as scripted; messages are parsed by an independent library.
// Invariant: `mails` holds what the server answered 250 for, and also what it took before it broke off (`lost: true`).
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { createWaiter } from './http-server.ts';

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: Buffer;
  readonly parsed: Email;
  readonly at: number;
  /** Over TLS. */
  readonly secure: boolean;
  readonly user: string | null;
  /** Name that the client gave in EHLO. */
  readonly clientName: string;
  /** The connection was broken instead of answering the final dot. */
  readonly lost: boolean;
}

/** Code and text of a refusal. */
export interface Refusal {
  readonly code: number;
  readonly text?: string;
}

/** What one connection meets; everything not named goes well. */
export interface SmtpScript {
  readonly onConnect?: Refusal;
  readonly onMailFrom?: Refusal;
  /** By address, or for all. */
  readonly onRecipient?: Readonly<Record<string, Refusal>> | Refusal;
  /** After the final dot. */
  readonly onData?: Refusal;
  /** Break the connection instead of answering the final dot. */
  readonly dropAfterDot?: boolean;
  /** Milliseconds before the final dot is answered; Infinity never answers. */
  readonly answerDelayMs?: number;
  readonly bannerDelayMs?: number;
}

export interface SmtpReceiver {
  readonly host: string;
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** Every recipient that a RCPT command named, refused ones included. */
  readonly recipients: readonly string[];
  readonly logins: readonly { readonly user: string; readonly ok: boolean }[];
  /** Connections accepted so far, and the most that were open at one time. */
  connections(): { readonly total: number; readonly most: number };
  /** For the next connections, one each; then `always`. */
  script(...scripts: readonly SmtpScript[]): void;
  always(script: SmtpScript): void;
  waitFor(count: number, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export interface SmtpOptions {
  /** 'starttls' offers STARTTLS, 'tls' speaks TLS from the first byte; both need a certificate. */
  readonly security?: 'none' | 'starttls' | 'tls';
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly auth?: { readonly user: string; readonly password: string };
  /** The SIZE that EHLO announces. */
  readonly maxBytes?: number;
  /** Further connections are answered with 421. */
  readonly maxClients?: number;
  readonly port?: number;
}

export async function startSmtpReceiver(options: SmtpOptions = {}): Promise<SmtpReceiver> {
  const security = options.security ?? 'none';
  const mails: ReceivedMail[] = [];
  const recipients: string[] = [];
  const logins: { user: string; ok: boolean }[] = [];
  const scripted: SmtpScript[] = [];
  const scripts = new Map<string, SmtpScript>();
  const waiter = createWaiter();
  let usual: SmtpScript = {};
  let [total, current, most] = [0, 0, 0];
  const scriptOf = (session: SMTPServerSession): SmtpScript => scripts.get(session.id) ?? usual;

  const server = new SMTPServer({
    secure: security === 'tls',
    ...(options.tls === undefined ? {} : options.tls),
    ...(options.maxBytes === undefined ? {} : { size: options.maxBytes }),
    ...(options.maxClients === undefined ? {} : { maxClients: options.maxClients }),
    hideSTARTTLS: security !== 'starttls',
    authOptional: options.auth === undefined,
    disabledCommands: [
      ...(options.auth === undefined ? ['AUTH'] : []),
      ...(security === 'starttls' ? [] : ['STARTTLS']),
    ],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    socketTimeout: 60_000,
    closeTimeout: 100,
    onConnect(session, callback) {
      total += 1;
      current += 1;
      most = Math.max(most, current);
      const script = scripted.shift() ?? usual;
      scripts.set(session.id, script);
      const go = (): void => callback(refusalError(script.onConnect));
      if (script.bannerDelayMs === undefined) go();
      else setTimeout(go, script.bannerDelayMs);
    },
    onClose(session) {
      current -= 1;
      scripts.delete(session.id);
    },
    onAuth(auth, _session, callback) {
      const ok = auth.username === options.auth?.user && auth.password === options.auth?.password;
      logins.push({ user: auth.username ?? '', ok });
      if (ok) callback(null, { user: auth.username });
      else
        callback(Object.assign(new Error('5.7.8 Authentication credentials invalid'), { responseCode: 535 }));
    },
    onMailFrom: (_address, session, callback) => callback(refusalError(scriptOf(session).onMailFrom)),
    onRcptTo(address, session, callback) {
      recipients.push(address.address);
      const rule = scriptOf(session).onRecipient;
      const refusal =
        rule === undefined || 'code' in rule ? rule : (rule as Record<string, Refusal>)[address.address];
      callback(refusalError(refusal as Refusal | undefined));
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', async () => {
        const script = scriptOf(session);
        if (stream.sizeExceeded) {
          callback(refusalError({ code: 552, text: '5.3.4 Message too big' }));
          return;
        }
        if (script.onData !== undefined) {
          callback(refusalError(script.onData));
          return;
        }
        const raw = Buffer.concat(chunks);
        const from = session.envelope.mailFrom;
        mails.push({
          from: from === false ? '' : from.address,
          to: session.envelope.rcptTo.map((recipient) => recipient.address),
          raw,
          parsed: await PostalMime.parse(raw),
          at: Date.now(),
          secure: session.secure,
          user: (session.user as string | undefined) ?? null,
          clientName: session.hostNameAppearsAs || '',
          lost: script.dropAfterDot === true,
        });
        waiter.changed();
        if (script.dropAfterDot === true) {
          breakConnection(server, session);
          return;
        }
        if (script.answerDelayMs === Number.POSITIVE_INFINITY) return;
        setTimeout(() => callback(), script.answerDelayMs ?? 0);
      });
    },
  });
  // Clients that break off are what tests are about.
  server.on('error', () => {});
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    host: '127.0.0.1',
    port: (server.server.address() as AddressInfo).port,
    mails,
    recipients,
    logins,
    connections: () => ({ total, most }),
    script: (...next) => {
      scripted.push(...next);
    },
    always(script) {
      usual = script;
    },
    waitFor: (count, timeoutMs = 10_000) =>
      waiter.until(
        () => mails.length >= count,
        timeoutMs,
        () => `${mails.length} of ${count} mails`,
      ),
    close: () =>
      new Promise((resolve) => {
        for (const connection of connectionsOf(server)) connection._socket?.destroy();
        server.close(() => resolve());
      }),
  };
}

interface OpenConnection {
  readonly id: string;
  readonly _socket?: { destroy(): void };
}

// smtp-server has no call that breaks one connection; its set of connections is the way to the socket.
function connectionsOf(server: SMTPServer): Iterable<OpenConnection> {
  return (server as unknown as { connections: Set<OpenConnection> }).connections;
}

function breakConnection(server: SMTPServer, session: SMTPServerSession): void {
  for (const connection of connectionsOf(server))
    if (connection.id === session.id) connection._socket?.destroy();
}

function refusalError(refusal: Refusal | undefined): Error | null {
  if (refusal === undefined) return null;
  return Object.assign(new Error(refusal.text ?? `refused with ${refusal.code}`), {
    responseCode: refusal.code,
  });
}
