// Where commands of one topic wait that have long to wait: in the topic of timers, not in memory with their offset held back.
//
// Invariant: a command is parked when the log has acknowledged its timer, and not before; one record of the command topic has one
// timer at most while its owner lives.
//
// Surprise: the text of a parked command stays in memory, because the timers of a partition do. When that is too much nothing more
// is parked: those commands wait in memory, hold their offsets and in the end the reader.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Clock } from '../ports/clock.ts';
import { type Assignment, LogError } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { MetricsPort } from '../ports/metrics.ts';
import type { FoldEffect } from './fold/fold.ts';
import type { Timers } from './fold/timers.ts';
import type { Outbox } from './outbox.ts';
import { type Parked, parkedPayload, parkedToken, readParked } from './perform-parked.ts';

export interface ParkingOptions {
  readonly type: string;
  readonly timers: Timers;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly metrics: MetricsPort;
  readonly logger: Logger;
  /** Characters of all commands that are parked. */
  readonly maxChars: number;
}

export interface Parking {
  /**
   * Resolves true when the timer is in the log; false when the command cannot be parked. `due`: epoch ms; without it the command
   * waits for its destination, `away`, and is called back.
   */
  park(partition: number, commandId: string, command: Parked, due: number | null): Promise<boolean>;
  /** Whether a timer is pending for this command as it was first read at `offset`. */
  has(partition: number, commandId: string, offset: number): boolean;
  /** A command came out of its timer. */
  arrived(partition: number, commandId: string, command: Parked): void;
  /** Calls back a command wherever it waits, unless it is of a later round; true while it waits or is on its way. */
  callBack(partition: number, commandId: string, round: number): boolean;
  /** Calls back commands that wait for the destination, in their order, until `most` are on their way. Whether any waits. */
  recall(away: string, most: number): boolean;
  /** Reads what is parked in the partition. Resolves with the destinations that commands wait for. */
  onAssigned(assignment: Assignment): Promise<ReadonlySet<string>>;
  onRevoked(partition: number): void;
}

/** A command that waits for its destination comes back by itself after this, ms, should nobody call it. */
export const awayMs = 3_600_000;
/** UTF-8 bytes of a timer beyond which a command is not parked: it has to fit into one message of the log, now and when it fires. */
const maxRecordBytes = 1_000_000;

/** Tokens of those who wait for one destination, oldest first, with their partitions. */
interface Queue {
  readonly waiting: Map<string, number>;
  /** Called back and not here yet. */
  readonly called: Map<string, number>;
  lastDue: number;
  lastCall: number;
}

export function createParking(options: ParkingOptions): Parking {
  const { type, timers, outbox, clock, metrics, logger, maxChars } = options;
  /** By partition: token by offset of the origin. */
  const tokens = new Map<number, Map<number, string>>();
  const queues = new Map<string, Queue>();
  /** Of timers on their way into the log. */
  let sending = 0;

  function queueOf(away: string): Queue {
    let queue = queues.get(away);
    if (queue === undefined) {
      queue = { waiting: new Map(), called: new Map(), lastDue: 0, lastCall: 0 };
      queues.set(away, queue);
    }
    return queue;
  }

  function tokensOf(partition: number): Map<number, string> {
    const held = tokens.get(partition) ?? new Map<number, string>();
    tokens.set(partition, held);
    return held;
  }

  /** Each one later than the one before it, so that they come back in the order in which they left. */
  function nextDue(queue: Queue): number {
    queue.lastDue = Math.max(queue.lastDue + 1, clock.now() + awayMs);
    return queue.lastDue;
  }

  function remember(partition: number, offset: number, token: string, away: string | null): void {
    tokensOf(partition).set(offset, token);
    if (away !== null) queueOf(away).waiting.set(token, partition);
  }

  const gauge = (): void => metrics.gauge('tocsin_action_parked_characters', timers.chars, { type });

  return {
    async park(partition, commandId, command, due) {
      const { origin, waits, away } = command;
      const token = parkedToken(commandId, origin.offset, waits);
      const key = origin.key?.toString() ?? '';
      const effect: FoldEffect = {
        kind: 'timer',
        token,
        due: due ?? nextDue(queueOf(away ?? '')),
        payload: { ...parkedPayload(command) },
      };
      const record = timers.record(partition, key, effect);
      const chars = record.value?.length ?? 0;
      if (
        Buffer.byteLength(record.value ?? '') > maxRecordBytes ||
        timers.chars + sending + chars > maxChars
      ) {
        metrics.count('tocsin_action_not_parked_total', { type });
        return false;
      }
      sending += chars;
      try {
        await outbox.send([record]);
      } catch (error) {
        metrics.count('tocsin_action_not_parked_total', { type });
        if (error instanceof LogError && !error.retriable)
          logger.warn('the log refuses the timer of a command, it waits in memory', {
            type,
            command_id: commandId,
            error: error.message,
          });
        return false;
      } finally {
        sending -= chars;
      }
      timers.applied(partition, [{ key, effect }]);
      if (timers.has(partition, token)) remember(partition, origin.offset, token, away);
      metrics.count('tocsin_action_parked_total', { type, reason: away === null ? 'retry' : 'away' });
      gauge();
      return true;
    },
    has(partition, commandId, offset) {
      const token = tokens.get(partition)?.get(offset);
      // A topic that was made anew counts from 0 again.
      return token?.startsWith(`${commandId}.`) === true && timers.has(partition, token);
    },
    arrived(partition, commandId, { origin, waits, away }) {
      const token = parkedToken(commandId, origin.offset, waits);
      const held = tokens.get(partition);
      if (held?.get(origin.offset) === token) held.delete(origin.offset);
      if (away === null) return;
      const { waiting, called } = queueOf(away);
      waiting.delete(token);
      called.delete(token);
      gauge();
    },
    callBack(partition, commandId, round) {
      let waits = false;
      for (const token of tokens.get(partition)?.values() ?? []) {
        if (!token.startsWith(`${commandId}.`)) continue;
        if (roundOf(timers.payload(partition, token)) > round) continue;
        waits = true;
        timers.hasten(partition, token, clock.now());
        for (const { waiting, called } of queues.values())
          if (waiting.delete(token)) called.set(token, partition);
      }
      return waits;
    },
    recall(away, most) {
      const queue = queues.get(away);
      if (queue === undefined) return false;
      const { waiting, called } = queue;
      const now = clock.now();
      for (const [token, partition] of waiting) {
        if (called.size >= most) break;
        waiting.delete(token);
        // Parts of a millisecond apart, because timers that are due together fire in the order of their tokens.
        queue.lastCall = Math.max(queue.lastCall + 1 / 1024, now);
        if (timers.hasten(partition, token, queue.lastCall)) called.set(token, partition);
      }
      return waiting.size > 0 || called.size > 0;
    },
    async onAssigned(assignment) {
      await timers.onAssigned(assignment);
      const { partition } = assignment;
      const found: { offset: number; token: string; due: number; away: string | null }[] = [];
      timers.each(partition, (token, due, payload) => {
        const parked = readParked(payload);
        if (parked !== null) found.push({ offset: parked.origin.offset, token, due, away: parked.away });
      });
      found.sort((a, b) => a.due - b.due);
      for (const { offset, token, away } of found) remember(partition, offset, token, away);
      gauge();
      return new Set(found.flatMap(({ away }) => (away === null ? [] : [away])));
    },
    onRevoked(partition) {
      timers.onRevoked(partition);
      tokens.delete(partition);
      for (const { waiting, called } of queues.values())
        for (const list of [waiting, called])
          for (const [token, at] of list) if (at === partition) list.delete(token);
      gauge();
    },
  };
}

/** Of a parked command; one that is on its way may be of any. */
function roundOf(payload: Readonly<Record<string, unknown>> | null): number {
  const parked = readParked(payload);
  if (parked === null) return 0;
  const { round = 1 } = JSON.parse(parked.origin.value.toString()) as Pick<Command, 'round'>;
  return round;
}
