// The description of a ticket when nobody wrote one: facts as a list, rows as a table, the link, and what the finding says of itself.
import type { Command } from '@tocsin/schemas/types.ts';
import { escapeText, textOf } from '../../templates/escape.ts';
import { escapeMarkdown, fencedText, plainChat } from '../../templates/escape-chat.ts';
import { lookup } from '../../templates/lookup.ts';
import { rowsOf } from '../../templates/view.ts';
import { type Alert, alertTable } from '../alert.ts';

/** markdown: values are escaped and tables fenced; plain: as they are, for receivers that show text as text. */
export type DescriptionStyle = 'markdown' | 'plain';

const tableMax = 20_000;
/** Of the finding's own words, each. */
const wordsMax = 4_000;

export function describeAlert(alert: Alert, command: Command, style: DescriptionStyle): string {
  const markdown = style === 'markdown';
  const value = (text: string): string => (markdown ? escapeMarkdown(text) : escapeText(plainChat(text)));
  const parts: string[] = [];
  if (alert.facts.length > 0)
    parts.push(alert.facts.map(({ name, value: fact }) => `- ${value(name)}: ${value(fact)}`).join('\n'));
  if (alert.set !== null) {
    const { table, more } = alertTable(alert.set, tableMax);
    parts.push(`${alert.set.total} results`);
    if (table !== '') parts.push(markdown ? `\`\`\`\n${fencedText(table)}\n\`\`\`` : table);
    if (more !== '') parts.push(more);
  } else if (command.subject.rows === undefined) {
    const data = rowsOf(command)[0] ?? {};
    for (const name of ['description', 'remediation']) {
      const words = textOf(lookup(name, [data]))
        .slice(0, wordsMax)
        .trim();
      if (words !== '') parts.push(value(words));
    }
  }
  if (alert.link !== null) parts.push(value(alert.link));
  return parts.join('\n\n');
}
