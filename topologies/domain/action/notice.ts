// The text of a chat message: what the author wrote, rendered and cut to the receiver's limit, or the default alert.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Escape } from '../templates/escape.ts';
import { cutText } from '../templates/escape-chat.ts';
import type { Views } from '../templates/lookup.ts';
import { renderText, warningsOf } from '../templates/render.ts';
import { type Alert, alertOf, renderLink } from './alert.ts';
import { maxRowsDefault, type NoticeParams } from './notice-params.ts';

export interface Notice<T> {
  readonly value: T;
  readonly warnings: readonly string[];
}

/** The alert of a command with the parameters that all chat messages share. Throws TemplateError. */
export function noticeAlert(command: Command, params: NoticeParams, views: Views): Notice<Alert> {
  const link = renderLink(params.link, views);
  const maxRows = params.max_rows ?? maxRowsDefault;
  const alert = alertOf(command, { maxRows, ...(link.url === undefined ? {} : { link: link.url }) });
  return { value: alert, warnings: link.warnings };
}

export interface TextRules {
  readonly escape: Escape;
  /** UTF-16 units that the receiver takes. */
  readonly maxLength: number;
  /** The default text of an alert in the receiver's markup. */
  readonly write: (alert: Alert) => string;
}

/** A text that renders to nothing gives way to the default. Throws TemplateError. */
export function noticeText(
  command: Command,
  params: NoticeParams & { readonly text?: string },
  views: Views,
  { escape: kind, maxLength, write }: TextRules,
): Notice<string> {
  const warnings: string[] = [];
  if (params.text !== undefined) {
    const rendered = renderText(params.text, views, kind);
    warnings.push(...warningsOf('text', rendered));
    const text = cutText(rendered.text, maxLength);
    if (text !== rendered.text) warnings.push(`text: cut at ${maxLength} characters`);
    if (text.trim() !== '') return { value: text, warnings };
  }
  const alert = noticeAlert(command, params, views);
  return { value: write(alert.value), warnings: [...warnings, ...alert.warnings] };
}
