// Kinds of effects for the crash points of the action worker: where each goes, what it sends, and what its receiver has of it.
//
// Invariant: an effect is counted by the id of its command, at the receiver, whatever the worker believes of it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '@tocsin/schemas/types.ts';
import { type HoldingRelay, startHoldingRelay } from '@tocsin/testing/holding-relay.ts';
import { startJiraReceiver } from '@tocsin/testing/receivers/jira.ts';
import { startSlackReceiver } from '@tocsin/testing/receivers/slack.ts';
import { startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { agentToken, linesOf, startAgent, writeScript } from '@tocsin/testing/script-agent.ts';
import { eventCommand } from '@tocsin/topologies/testing/fixtures.ts';
import { httpConnection, mailConnection } from './documents.ts';

export const kinds = ['ticket', 'mail', 'chat', 'script'] as const;
export type Kind = (typeof kinds)[number];

/** The action type that has such an effect. */
export const typeOf = { ticket: 'jira', mail: 'email', chat: 'slack', script: 'script' } as const;

export interface Destination {
  readonly relay: HoldingRelay;
  /** In the request: the first byte of what it says. */
  readonly begin: string;
  /** In the request: its receiver has enough of it to act when this came. */
  readonly whole: string;
  readonly connection: object;
  /** Parameters of a command; `refused`: one that the receiver will not have. */
  params(commandId: string, refused: boolean): Record<string, unknown>;
  /** How often the effect of this command is there. */
  effects(commandId: string): number;
  /** Commands that it would not have, each as often as it came. */
  refusals(): number;
}

export interface Destinations {
  readonly of: Readonly<Record<Kind, Destination>>;
  close(): Promise<void>;
}

const http = { begin: '\r\n\r\n{', whole: '\r\n\r\n' };
const nobody = 'nobody@example.com';

/** Starts all receivers, each behind a relay. `folder`: for the agent and the scripts. */
export async function startDestinations(folder: string): Promise<Destinations> {
  mkdirSync(folder, { recursive: true });
  const [jira, mail, slack] = await Promise.all([
    startJiraReceiver(),
    startSmtpReceiver(),
    startSlackReceiver({ token: agentToken, channels: ['#soc'] }),
  ]);
  mail.always({ onRecipient: { [nobody]: { code: 550, text: '5.1.1 no such mailbox' } } });
  const path = writeScript(folder, 'note.sh', '#!/bin/sh\necho "$TOCSIN_COMMAND_ID" >> "$1"');
  const agent = await startAgent(folder, { scripts: { note: { path } } });
  writeFileSync(join(folder, 'worker-token'), agentToken);
  const secrets = { token: { file: join(folder, 'worker-token') } };
  const relays = {
    ticket: await startHoldingRelay(jira.port),
    mail: await startHoldingRelay(mail.port),
    chat: await startHoldingRelay(slack.port),
    script: await startHoldingRelay(agent.port),
  };
  const mark = (commandId: string): string => join(folder, `${commandId}.mark`);

  return {
    of: {
      ticket: {
        ...http,
        relay: relays.ticket,
        connection: httpConnection('ticket', relays.ticket.port, { auth: { type: 'bearer' }, secrets }),
        params: (id, refused) =>
          refused
            ? { api: 'data-center', operation: 'comment', ref: 'SEC-404', comment: id }
            : { api: 'data-center', project: 'SEC', summary: id },
        effects: (id) =>
          jira.jira.refs().filter((ref) => jira.jira.issue(ref)?.fields['summary'] === id).length,
        refusals: () => jira.requests.filter(({ status }) => status === 404).length,
      },
      mail: {
        begin: '\r\nSubject: ',
        whole: '\r\n.\r\n',
        relay: relays.mail,
        connection: mailConnection(relays.mail.port),
        params: (id, refused) => ({ to: refused ? [nobody] : ['soc@example.com'], subject: id, body: 'x' }),
        effects: (id) => mail.mails.filter(({ parsed }) => parsed.subject === id).length,
        refusals: () => mail.recipients.filter((address) => address === nobody).length,
      },
      chat: {
        ...http,
        relay: relays.chat,
        connection: httpConnection('chat', relays.chat.port, { auth: { type: 'bearer' }, secrets }),
        params: (id, refused) => ({ channel: refused ? '#nowhere' : '#soc', text: id }),
        effects: (id) => slack.messages.filter(({ commandId }) => commandId === id).length,
        refusals: () => slack.errors.length,
      },
      script: {
        ...http,
        relay: relays.script,
        connection: {
          ...httpConnection('script', relays.script.port, { secrets }),
          type: 'script-host',
        },
        params: (id, refused) => ({ script: refused ? 'unknown' : 'note', arguments: [mark(id)] }),
        effects: (id) => linesOf(mark(id)).filter((line) => line === id).length,
        refusals: () => agent.log().split('a run is refused').length - 1,
      },
    },
    async close() {
      for (const relay of Object.values(relays)) await relay.close();
      await Promise.all([jira.close(), mail.close(), slack.close(), agent.stop()]);
    },
  };
}

/** A command with such an effect, that is tried again after `retryMs` when its destination is away. */
export function commandOf(
  kind: Kind,
  commandId: string,
  destination: Destination,
  { refused = false, retryMs = 1_000 },
): Command {
  return eventCommand({
    type: typeOf[kind],
    command_id: commandId,
    connection: kind,
    grants: ['action:script'],
    params: destination.params(commandId, refused),
    retry: { max_attempts: 10, initial_ms: retryMs, max_ms: retryMs, factor: 1 },
  });
}
