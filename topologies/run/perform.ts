// Runs the commands of one action type: takes them, attempts them in the lane of their destination, and has the outcome recorded.
//
// Invariant: a command's offset completes after its final outcome, or the timer that brings it back, was acknowledged by the log.
// A command that waits for seconds holds the commit (not its neighbours); one that waits for longer is parked and does not.
//
// Surprise: what was parked and not committed when a worker died is read again; its pending timer says that it is to be left alone,
// and the ledger what is known when the timer has fired already.

import type { Command } from '@tocsin/schemas/types.ts';
import type { Action, ActionPorts, ResolvedConnection } from '../domain/action/define-action.ts';
import { guarded } from '../domain/action/grants.ts';
import type { Failed } from '../domain/action/outcome.ts';
import { unreadableRecord } from '../domain/dead-letter.ts';
import type { Clock } from '../ports/clock.ts';
import type { EffectsPort } from '../ports/effects.ts';
import type { Assignment, BatchHandler, RecordBatch } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import { createCommandRoom } from './command-room.ts';
import type { Timers } from './fold/timers.ts';
import type { LaneSettings } from './lane.ts';
import { createOpenWork } from './open-work.ts';
import type { Outbox } from './outbox.ts';
import { createParking } from './parking.ts';
import { createCancels } from './perform-cancel.ts';
import { type Job, offsetOf, readRecord, type Taken } from './perform-command.ts';
import { dryOutcome } from './perform-dry.ts';
import { noAttempts } from './perform-judge.ts';
import { createRecorder, ledgerRetryMs } from './perform-record.ts';
import { createRunner } from './perform-run.ts';

/** The connection of a command as it is now, or why it cannot be had. */
export type ConnectionLookup = (id: string) => Promise<ResolvedConnection | Failed>;

export interface PerformOptions {
  readonly action: Action;
  /** Name in dead letters and metrics, for example actions/webhook. */
  readonly service: string;
  readonly ports: Partial<ActionPorts>;
  readonly effects: EffectsPort;
  readonly outbox: Outbox;
  /** Of the command topic, with the same outbox: commands that wait for long become its timers. */
  readonly timers: Timers;
  readonly connection: ConnectionLookup;
  readonly laneSettings: (connection: string | null) => LaneSettings;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** Ends waiting retries; their commands stay uncommitted. */
  readonly signal: AbortSignal;
  /** Bytes of commands taken and not finished, over all partitions; default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** Characters of commands that are parked; default 256 Mi. Beyond it commands wait in memory and hold their offsets. */
  readonly maxParkedChars?: number;
  /** An outcome cannot be recorded in any form: the service must end loudly; the command stays uncommitted. */
  readonly onFailure: (error: Error) => void;
  /** A destination that refuses us is waited for this long before its commands are given up, ms; default 24 h. */
  readonly pauseMaxMs?: number;
}

export interface Performer extends BatchHandler {
  /** The connection is another one now: commands that wait for its destination are tried at once. */
  connectionChanged(id: string): void;
}

export function createPerformer(given: PerformOptions): Performer {
  const options = { ...given, action: guarded(given.action) };
  const { action, service, effects, outbox, timers, clock, metrics, logger, signal, onFailure } = options;
  const { maxQueuedBytes = 64 * 1024 * 1024, maxParkedChars = 256 * 1024 * 1024 } = options;
  const type = action.manifest.id;
  // A revoke waits for attempts in progress, not for commands that wait for a retry. The recorder answers for everything that can be
  // expected; work that rejects is a defect, and its command has no outcome.
  const work = createOpenWork(onFailure);
  const room = createCommandRoom(maxQueuedBytes);
  /** Commands in memory by id, each with those of the same id that wait until it is gone. */
  const present = new Map<string, Job[]>();
  const parking = createParking({
    type,
    timers,
    outbox,
    clock,
    metrics,
    logger,
    maxChars: maxParkedChars,
  });
  const recorder = createRecorder({
    type,
    service,
    effects,
    outbox,
    room,
    clock,
    metrics,
    logger,
    signal,
    onGone,
    onFailure,
  });
  const connectionOf = async (command: Command): Promise<ResolvedConnection | Failed | null> => {
    const { connection, params } = command;
    if (action.manifest.connection === null) return null;
    if (connection === undefined && action.needsConnection?.(params) === false) return null;
    return options.connection(connection ?? '');
  };
  const cancels = createCancels({ parking, complete: recorder.complete, forget: recorder.forget });
  const runner = createRunner(options, { recorder, parking, work, connectionOf });

  /** Commands of one id one after the other: each finds in the ledger what became of the one before it. */
  function begin(job: Job): void {
    // Read again after a crash, or fired twice: its timer is still to come.
    const { assignment, command } = job;
    if (parking.has(assignment.partition, command.command_id, offsetOf(job))) recorder.complete(job);
    else runner.submit(job);
  }

  function onGone(taken: Taken): void {
    if (!('command' in taken)) return;
    const job = taken as Job;
    const id = job.command.command_id;
    if (job.cancel !== undefined) cancels.gone(job);
    const next = present.get(id)?.shift();
    if (next === undefined) present.delete(id);
    else begin(next);
  }

  async function take(batch: RecordBatch, index: number, assignment: Assignment): Promise<void> {
    const value = batch.value(index);
    const bytes = value?.length ?? 0;
    room.take(bytes);
    if (value === null) return recorder.complete({ batch, index, assignment, bytes });
    const read = readRecord(value, type);
    const { parked } = read;
    const taken: Taken = {
      batch,
      index,
      assignment,
      bytes,
      ...(parked === undefined ? {} : { origin: parked.origin }),
    };
    if ('reason' in read) return recorder.refuse(taken, read);
    if ('cancel' in read) return cancels.take(taken, read.cancel);
    const { command } = read;
    if (command.dry_run === true) return work.track(assignment, dryRun(taken, command));
    const { attempts, waits } = parked ?? { attempts: noAttempts, waits: 0 };
    const cancel = action.manifest.cancellable === true ? { cancel: new AbortController() } : {};
    const job: Job = { ...taken, ...cancel, command, attempts, waits, inlineUntil: null };
    if (parked !== undefined) parking.arrived(assignment.partition, command.command_id, parked);
    if (job.cancel !== undefined) cancels.arrived(job);
    const others = present.get(command.command_id);
    if (others !== undefined) others.push(job);
    else {
      present.set(command.command_id, []);
      begin(job);
    }
  }

  /** Beside ledger and lane: nothing happens that they could guard. */
  async function dryRun(taken: Taken, command: Command): Promise<void> {
    while (!taken.assignment.signal.aborted && !signal.aborted)
      try {
        const connection = await connectionOf(command);
        return await recorder.dry(taken, command, dryOutcome(action, command, connection, clock.now()));
      } catch (error) {
        logger.warn('connection not available, a dry run waits', { type, error: String(error) });
        await clock.sleep(ledgerRetryMs, signal).catch(() => undefined);
      }
    recorder.forget(taken);
  }

  return {
    connectionChanged: (id) => runner.lane(id).tryNow(),
    async startAt(assignment) {
      try {
        for (const away of await parking.onAssigned(assignment)) runner.lane(away).look();
      } catch (error) {
        if (!assignment.signal.aborted && !signal.aborted) throw error;
      }
      return null;
    },
    async onUnreadable(range) {
      metrics.count('tocsin_dead_letters_total', { service, reason: 'unreadable' });
      await outbox.send([unreadableRecord(range, { stage: 'command', service, at: clock.now() })]);
    },
    async onBatch(batch, assignment) {
      for (let index = 0; index < batch.count; index += 1) {
        await room.wait(assignment.signal, signal);
        if (assignment.signal.aborted || signal.aborted) return;
        await take(batch, index, assignment);
      }
    },
    async onRevoked(assignment) {
      await work.settled(assignment);
      cancels.onRevoked(assignment.partition);
      parking.onRevoked(assignment.partition);
    },
  };
}
