// Sending what is in a dead letter again: whether that can be done, what it takes, and the record.
//
// Invariant: key and bytes are the original ones. A command alone changes, in one field: it goes in a higher round, because its ledger
// answers the same round with how it ended.
// Surprise: not everything has a way back. A changelog is read again from its start when states are lost, and an old state after newer ones
// would undo them; what the collector had put together is no record of its input.
import type { Header, OutRecord } from '../../ports/log.ts';
import { type Topic, topics } from '../../topics.ts';
import { refusalReasons } from '../evaluate/refusal.ts';
import { readCommand } from './read-letter.ts';
import { isRedriveHeader, type Place, redriveHeaders } from './redriven.ts';

/** What the decision needs of a letter. */
export interface RedriveCandidate {
  readonly stage: string;
  readonly service: string;
  readonly reason: string;
  readonly source: Place | null;
  readonly part: string | null;
  readonly complete: boolean;
  readonly hasValue: boolean;
  readonly redrives: number;
  /** Epoch ms. */
  readonly at: number;
}

/** Why a letter has no way back; one line each, for people. */
export const redriveObstacles = {
  no_bytes: 'there are no original bytes',
  cut: 'the letter does not hold the whole record',
  no_source: 'the letter does not say which topic the record comes from',
  other_topic: 'records of this topic are not sent again',
  put_together: 'it holds what was collected of a run, which is no record of its own: send the run again',
  part: 'the rest of the command was done, and a command that was done is not repeated',
  too_often: 'it was sent again ten times already',
} as const;
export type RedriveObstacle = keyof typeof redriveObstacles;

/** Why it may have had its effect: whoever sends it again says that a duplicate is accepted. */
export const duplicateReasons = {
  uncertain: 'its effect may have happened',
  unrecorded: 'the command ended, and only its result could not be written',
  forgotten: 'other rules may have acted on it, and it is older than what the ledger remembers',
} as const;
export type DuplicateReason = keyof typeof duplicateReasons;

/** Most times that one record is sent again, letters of letters included. */
export const mostRedrives = 10;
/** Commands are remembered for as long as their topics keep them. */
const rememberedMs = 7 * 24 * 3_600_000;

/** Every topic that letters are sent back to, those of commands aside. */
export const redriveTopics: readonly Topic[] = [
  topics.findings,
  topics.searchResults,
  topics.events,
  topics.results,
  topics.runs,
  topics.collections,
  topics.correlations,
];
const byName = new Set(redriveTopics.map(({ name }) => name));
const commandName = /^commands\.[a-z0-9][a-z0-9-]*\.v1$/;
/** Reasons of the collector whose letters hold a run instead of an input (collector/letters.ts). */
const ofRuns = new Set(['contradicting_chunk', 'incomplete_run', 'command_too_large']);
/** Reasons of the evaluator that are about one rule, while others may have acted; the rest comes before the rules. */
const ofOneRule = new Set<string>(['command_too_large', 'start_too_large', ...Object.keys(refusalReasons)]);
for (const reason of ['invalid_envelope', 'loop_detected']) ofOneRule.delete(reason);

export function redriveObstacle(letter: RedriveCandidate): RedriveObstacle | null {
  const { source, service, reason } = letter;
  if (!letter.hasValue) return 'no_bytes';
  if (!letter.complete) return 'cut';
  if (source === null) return 'no_source';
  if (!byName.has(source.topic) && !commandName.test(source.topic)) return 'other_topic';
  if (service === 'collector' && ofRuns.has(reason)) return 'put_together';
  if (letter.part !== null) return 'part';
  return letter.redrives >= mostRedrives ? 'too_often' : null;
}

/** `now`: epoch ms. Null: it had no effect, or a repeat is answered by the ledger. */
export function duplicateReason(letter: RedriveCandidate, now: number): DuplicateReason | null {
  const { stage, service, reason } = letter;
  if (stage === 'command') return reason === 'uncertain' || reason === 'unrecorded' ? reason : null;
  const partly = service === 'evaluator' && ofOneRule.has(reason);
  return partly && now - letter.at > rememberedMs ? 'forgotten' : null;
}

/** Everything that the record is made of. */
export interface RedriveContents {
  readonly id: string;
  readonly service: string;
  readonly source: Place;
  /** Where the record was first, when it was sent again before. */
  readonly firstSource: Place | null;
  readonly redrives: number;
  /** For a command. */
  readonly round: number | null;
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: readonly Header[];
}

/** The record that brings a letter back to where it came from. */
export function redriveRecord(letter: RedriveContents): OutRecord {
  const { topic, partition, offset } = letter.firstSource ?? letter.source;
  const about: [string, string][] = [
    [redriveHeaders.of, letter.id],
    [redriveHeaders.count, String(letter.redrives + 1)],
    [redriveHeaders.source, `${topic}/${partition}/${offset}`],
    [redriveHeaders.for, letter.service],
  ];
  return {
    topic: letter.source.topic,
    key: letter.key,
    value: letter.round === null ? letter.value : inRound(letter.value, letter.round),
    headers: [...letter.headers.filter(([name]) => !isRedriveHeader(name)), ...about],
  };
}

function inRound(value: Buffer, round: number): Buffer {
  const command = readCommand(value);
  return command === null ? value : Buffer.from(JSON.stringify({ ...command, round }));
}
