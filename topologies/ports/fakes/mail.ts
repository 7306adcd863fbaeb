// Mail in memory: records every message with the server it went to; refuses or fails as scripted.
import {
  type MailCheckPort,
  MailFailure,
  type MailMessage,
  type MailPort,
  type MailReceipt,
  type SmtpServer,
} from '../mail.ts';

export interface FakeMail extends MailPort, MailCheckPort {
  /** Servers that were greeted. */
  readonly greeted: readonly SmtpServer[];
  readonly sent: readonly { readonly server: SmtpServer; readonly message: MailMessage }[];
  /** The next calls fail with these, one each. */
  fail(...failures: readonly MailFailure[]): void;
  /** From now on this recipient is refused with this code. */
  reject(address: string, code: number): void;
}

export function fakeMail(): FakeMail {
  const sent: { server: SmtpServer; message: MailMessage }[] = [];
  const greeted: SmtpServer[] = [];
  const failures: MailFailure[] = [];
  const refused = new Map<string, number>();
  return {
    sent,
    greeted,
    async greet(server) {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      greeted.push(server);
    },
    fail(...next) {
      failures.push(...next);
    },
    reject(address, code) {
      refused.set(address, code);
    },
    async send(server, message): Promise<MailReceipt> {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      const accepted = message.envelope.to.filter((address) => !refused.has(address));
      const rejected = message.envelope.to
        .filter((address) => refused.has(address))
        .map((address) => ({ address, code: refused.get(address) as number, response: 'refused' }));
      const first = rejected[0];
      if (accepted.length === 0 && first !== undefined)
        throw new MailFailure(first.code < 500 ? 'transient' : 'permanent', 'every recipient was refused', {
          code: first.code,
        });
      sent.push({ server, message });
      return { accepted, rejected, response: '250 2.0.0 Ok' };
    },
  };
}
