// What people do to runs: an audit row first, then the input in the log. The state machine of the run has the last word.
//
// Invariant: nothing is sent that is not in the audit trail; a send that fails is there too. Surprise: whoever is told that a send failed
// cannot know whether it arrived after all; every input is harmless when it comes twice.
import type { Actor } from '@tocsin/adapters/postgres/access.ts';
import type { AuditEntry, ConfigStore, ConfigWriter } from '@tocsin/adapters/postgres/config-store.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { RunInput } from '@tocsin/schemas/types.ts';
import type { LogProducer } from '@tocsin/topologies/ports/log.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { unavailable } from './errors.ts';

export interface KeyedInput {
  /** Key of the run. */
  readonly key: string;
  readonly input: RunInput;
}

export interface RunInputs {
  /** `before` runs in the transaction of the audit row. Throws 503 when the log does not take the inputs. */
  send(
    actor: Actor,
    entry: AuditEntry,
    inputs: readonly KeyedInput[],
    before?: (writer: ConfigWriter) => Promise<void>,
  ): Promise<void>;
}

/** Longest wait for the log, ms: below the patience of whoever waits for the answer. */
const sendTimeoutMs = 10_000;

export function createRunInputs(
  store: Pick<ConfigStore, 'write'>,
  producer: Pick<LogProducer, 'send'>,
): RunInputs {
  return {
    async send(actor, entry, inputs, before) {
      for (const { input } of inputs) {
        const issues = checkDocument('run-input.json', input);
        if (issues.length > 0) throw new Error(`not an input of a run: ${formatIssues(issues)}`);
      }
      await store.write(actor, async (writer) => {
        await before?.(writer);
        await writer.audit(entry);
      });
      const records = inputs.map(({ key, input }) => ({
        topic: topics.runs.name,
        key,
        value: JSON.stringify(input),
      }));
      try {
        await withDeadline(producer.send(records));
      } catch {
        await store.write(actor, (writer) => writer.audit({ ...entry, verb: `${entry.verb}-undelivered` }));
        throw unavailable();
      }
    },
  };
}

async function withDeadline(sending: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the log does not answer')), sendTimeoutMs);
  });
  try {
    await Promise.race([sending, late]);
  } finally {
    clearTimeout(timer);
  }
}
