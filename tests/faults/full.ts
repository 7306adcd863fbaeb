// All services and all receivers, as most fault runs need them: findings to webhook, mail and HEC, results to history.
import { type HecReceiver, startHecReceiver } from '@tocsin/testing/receivers/hec.ts';
import { type SmtpReceiver, startSmtpReceiver } from '@tocsin/testing/receivers/smtp.ts';
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testing/receivers/webhook.ts';
import { readings, verdictOf } from './books.ts';
import type { Verdict } from './checker.ts';
import { hecToken, mailDocuments, sinkDocuments, webhookDocuments } from './documents.ts';
import { type LoadRecord, load, mailRule, rules } from './load.ts';
import { type Process, type System, startSystem } from './system.ts';
import { pendingTimers, until, untilIdle } from './topic.ts';

export interface Full {
  readonly system: System;
  readonly webhook: WebhookReceiver;
  readonly mail: SmtpReceiver;
  readonly hec: HecReceiver;
  /** It reads the database and not files, so that it can be written to. */
  readonly api: Process;
  readonly recorder: Process;
  readonly actions: Process;
  readonly sinks: Process;
  readonly evaluator: Process;
  /** Findings for the rules in force. */
  load(run: string, count: number): LoadRecord[];
  /** Waits until nothing is left to do, then judges. */
  verdict(records: readonly LoadRecord[], timeoutMs?: number): Promise<Verdict>;
  stop(): Promise<void>;
}

/** Attempts in progress at one moment, by destination (connection.concurrency and its defaults). */
export const concurrency = { webhook: 8, mail: 4 };
/** Events of one sink batch times batches in flight, see documents.ts. */
export const sinkInFlight = 50 * 2;

export async function startFull(): Promise<Full> {
  const webhook = await startWebhookReceiver();
  const mail = await startSmtpReceiver();
  const hec = await startHecReceiver({ token: hecToken });
  const closeReceivers = async () => void (await Promise.all([webhook.close(), mail.close(), hec.close()]));
  const system = await startSystem({ env: { HEC_TOKEN: hecToken } });
  const stop = async () => {
    await system.stop();
    await closeReceivers();
  };
  try {
    system.configure([
      ...webhookDocuments(webhook.port),
      ...mailDocuments(mail.port),
      ...sinkDocuments(hec.port),
    ]);
    // Alone, because it migrates the database.
    const api = await system.service('config-api', { CONFIG_DIR: '' });
    const [recorder, actions, sinks, evaluator] = await Promise.all([
      system.service('recorder'),
      system.service('actions'),
      system.service('sinks'),
      system.service('evaluator'),
    ]);
    return {
      system,
      webhook,
      mail,
      hec,
      api,
      recorder,
      actions,
      sinks,
      evaluator,
      load: (run, count) => load(run, count, [...rules, mailRule]),
      async verdict(records, timeoutMs = 60_000) {
        await untilIdle(system.client, Object.values(readings), timeoutMs);
        await until('timers fire', async () => (await pendingTimers(system.client)) === 0, timeoutMs, 500);
        await untilIdle(system.client, Object.values(readings), timeoutMs);
        return verdictOf(system.client, records, { webhook, mail, hec });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
