// A command is a frame, which all shares of one use of an action have in common, and what the share is about.
//
// Invariant: the evaluator and the collector make commands here, so that one cause has one id whoever decides it.
import type { Command } from '@tocsin/schemas/types.ts';
import type { OutRecord } from '../../ports/log.ts';
import { commandTopic } from '../../topics.ts';
import { commandId } from './command-id.ts';

/** Everything but what tells the shares of one use of an action apart. `source.id` is part of the id of the command. */
export type CommandFrame = Omit<Command, 'command_id' | 'row_index' | 'subject'>;

/** What one command is about. */
export interface Share {
  readonly rowIndex: number | 'all';
  readonly subject: Command['subject'];
}

export function commandOf(frame: CommandFrame, { rowIndex, subject }: Share): Command {
  const { v, ...rest } = frame;
  const { tenant, source, rule, action } = rest;
  const id = commandId({
    tenant: tenant ?? '',
    sourceId: source.id,
    ruleId: rule?.id ?? '',
    actionKey: action.key,
    rowIndex,
  });
  return { v, command_id: id, ...rest, row_index: rowIndex, subject };
}

/** Commands keep the key of what caused them, so that one asset's commands of a type stay in order. */
export function commandRecord(
  command: Command,
  key: Buffer | string | null,
): OutRecord & { readonly value: Buffer } {
  return {
    topic: commandTopic(command.type).name,
    key: key ?? command.source.id,
    value: Buffer.from(JSON.stringify(command)),
  };
}
