// The published versions of playbooks, from playbook-versions.v1: programs for runs, and what a folder of files has to publish.
//
// Invariant: a version that was seen stays as it is for as long as the process lives; another content under its key is reported and
// changes nothing. A version that cannot be used is reported and takes no other down.
// Surprise: texts are kept, not documents: most versions are old and never asked for again.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { checkDocument, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { PlaybookVersion } from '@tocsin/schemas/types.ts';
import { digestOf } from '@tocsin/topologies/domain/digest.ts';
import { compileVersion } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import type { Definitions, Program } from '@tocsin/topologies/domain/playbooks/program.ts';
import type { LogClient, LogProducer, RecordBatch } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { MetricsPort } from '@tocsin/topologies/ports/metrics.ts';
import { topics } from '@tocsin/topologies/topics.ts';

export interface PlaybookVersions {
  /** Resolves when every version that the topic had at the call is known. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Programs, compiled when they are first asked for. null: not known, or known and not usable (see `problems`). */
  readonly definitions: Definitions;
  has(playbook: string, revision: number): boolean;
  /**
   * Reads on to the present end of the topic. For an input that names a revision which is not known: after it, a revision that is
   * still unknown was not published before the call.
   */
  catchUp(): Promise<void>;
  /**
   * Publishes those that the topic lacks; from the resolved promise on they are known here and acknowledged there. For services that
   * read a folder of files, whose versions nobody else publishes; any number of them may do so, the content is the same.
   */
  publishMissing(versions: readonly PlaybookVersion[]): Promise<void>;
  /** Called with versions that become known, those of `start` included. */
  onVersions(listener: (versions: readonly PlaybookVersion[]) => void): void;
  /** One line per version that cannot be used, as far as anybody looked. */
  readonly problems: readonly string[];
}

export interface PlaybookVersionsOptions {
  readonly client: LogClient;
  /** Needed by `publishMissing` alone. */
  readonly producer?: Pick<LogProducer, 'send'>;
  readonly logger: Logger;
  readonly metrics: MetricsPort;
  readonly onFailure: (error: Error) => void;
}

interface Held {
  readonly text: Buffer;
  readonly digest: string;
}

/** The record key of a version. */
export function versionKey(playbook: string, revision: number): string {
  return `${playbook}@${revision}`;
}

export function createPlaybookVersions(options: PlaybookVersionsOptions): PlaybookVersions {
  const { client, producer, logger, metrics } = options;
  const { name: topic } = topics.playbookVersions;
  const held = new Map<string, Held>();
  const programs = new Map<string, Program | null>();
  const problems = new Map<string, string>();
  const listeners: ((versions: readonly PlaybookVersion[]) => void)[] = [];
  const next = new Map<number, number>();

  function report(key: string, problem: string): void {
    if (problems.get(key) === problem) return;
    problems.set(key, problem);
    metrics.gauge('tocsin_playbook_version_problems', problems.size);
    logger.error('playbook version cannot be used', { version: key, problem });
  }

  /** The version when it is new. */
  function take(key: string, text: Buffer): PlaybookVersion[] {
    const version = readVersion(key, text);
    if (typeof version === 'string') {
      if (!held.has(key)) report(key, version);
      return [];
    }
    const digest = digestOf(version);
    const before = held.get(key);
    if (before !== undefined) {
      if (before.digest !== digest) report(key, 'came again with other content; the first one stays');
      return [];
    }
    // A copy: the bytes of a batch are used again.
    held.set(key, { text: Buffer.from(text), digest });
    return [version];
  }

  function announce(versions: readonly PlaybookVersion[]): void {
    metrics.gauge('tocsin_playbook_versions', held.size);
    if (versions.length === 0) return;
    for (const listener of listeners) listener(versions);
  }

  function onBatch(batch: RecordBatch): void {
    next.set(batch.partition, Math.max(batch.nextOffset, next.get(batch.partition) ?? 0));
    const fresh: PlaybookVersion[] = [];
    for (let index = 0; index < batch.count; index += 1) {
      const value = batch.value(index);
      if (value !== null) fresh.push(...take(batch.key(index)?.toString() ?? '', value));
    }
    announce(fresh);
  }

  function compiled(key: string): Program | null {
    const version = held.get(key);
    if (version === undefined) return null;
    const read = readVersion(key, version.text);
    if (typeof read === 'string') return null;
    const { program, issues } = compileVersion(read);
    if (program === null) report(key, formatIssues(issues));
    return program;
  }

  const reader = client.table({ topic, onBatch, onFailure: options.onFailure });

  return {
    start: () => reader.start(),
    stop: () => reader.stop(),
    definitions(playbook, revision) {
      const key = versionKey(playbook, revision);
      const known = programs.get(key);
      if (known !== undefined) return known;
      const program = compiled(key);
      if (held.has(key)) programs.set(key, program);
      return program;
    },
    has: (playbook, revision) => held.has(versionKey(playbook, revision)),
    async catchUp() {
      const once = client.table({ topic, from: new Map(next), onBatch });
      await once.start();
      await once.stop();
    },
    async publishMissing(versions) {
      const missing = versions.flatMap((version) => {
        const key = versionKey(version.document.id, version.revision);
        return held.has(key) ? [] : [{ key, text: Buffer.from(JSON.stringify(version)) }];
      });
      if (missing.length === 0) return;
      if (producer === undefined) throw new Error('versions are published with a producer');
      await producer.send(missing.map(({ key, text }) => ({ topic, key, value: text })));
      announce(missing.flatMap(({ key, text }) => take(key, text)));
    },
    onVersions(listener) {
      listeners.push(listener);
    },
    get problems() {
      return [...problems].map(([key, problem]) => `${key}: ${problem}`);
    },
  };
}

function readVersion(key: string, text: Buffer): PlaybookVersion | string {
  const parsed = parseJson(text, { maxDepth: 128, maxKeys: 100_000 });
  if (!parsed.ok) return `${parsed.reason} ${parsed.detail}`;
  const issues = checkDocument('playbook-version.json', parsed.value);
  if (issues.length > 0) return formatIssues(issues);
  const version = parsed.value as unknown as PlaybookVersion;
  const own = versionKey(version.document.id, version.revision);
  return own === key ? version : `names itself ${own}`;
}
