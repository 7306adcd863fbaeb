// Renders the parameters of a ticket. What it says of missing values becomes warnings of the result.
//
// Invariant: a reference, a key or a name that renders to nothing fails; no value becomes an object in a field, where a receiver may
// read one as markup, mentions included.
import type { Command } from '@tocsin/schemas/types.ts';
import { type Escape, escapeHeader } from '../../templates/escape.ts';
import { cutText, plainChat } from '../../templates/escape-chat.ts';
import { renderJson } from '../../templates/json-template.ts';
import type { Views } from '../../templates/lookup.ts';
import { renderText, warningsOf } from '../../templates/render.ts';
import { viewsOf } from '../../templates/view.ts';
import { headline } from '../alert.ts';
import { failed } from '../fail.ts';
import { noticeAlert } from '../notice.ts';
import type { Failed, Json } from '../outcome.ts';
import { type DescriptionStyle, describeAlert } from './describe.ts';
import { fingerprintMark } from './mark.ts';
import type { FieldParams, TicketParams } from './params.ts';

export interface Writer {
  readonly views: Views;
  /** Collected while parameters are rendered. */
  readonly warnings: string[];
}

/** `locals` are names that outrank everything. `now`: epoch ms of this attempt. */
export function writerOf(command: Command, now: number, locals?: Readonly<Record<string, unknown>>): Writer {
  return { views: viewsOf(command, { now, ...(locals === undefined ? {} : { locals }) }), warnings: [] };
}

/** A text of at most `max` UTF-16 units. Throws TemplateError. */
export function writeText(
  writer: Writer,
  field: string,
  template: string,
  kind: Escape,
  max: number,
): string {
  const rendered = renderText(template, writer.views, kind);
  writer.warnings.push(...warningsOf(field, rendered));
  return cut(writer, field, rendered.text, max);
}

export function cut(writer: Writer, field: string, text: string, max: number): string {
  const kept = cutText(text, max);
  if (kept !== text) writer.warnings.push(`${field}: cut at ${max} characters`);
  return kept;
}

/** One line without direction marks. */
export function writeLine(writer: Writer, field: string, template: string, max: number): string {
  const rendered = renderText(template, writer.views, 'none');
  writer.warnings.push(...warningsOf(field, rendered));
  return cut(writer, field, escapeHeader(plainChat(rendered.text)).trim(), max);
}

/** The reference of the ticket to change. `pattern` is what the system's references look like. */
export function writeRef(writer: Writer, params: TicketParams, pattern: RegExp): string | Failed {
  const rendered = renderText(params.ref ?? '', writer.views, 'none');
  const ref = rendered.text.trim();
  const [nothing] = rendered.empty;
  if (ref === '' || nothing !== undefined)
    return failed(
      'missing_ref',
      `ref: ${nothing === undefined ? 'is empty' : `{{${nothing}}} has no value`}; the step that was to make the ticket has failed or did not run`,
    );
  if (pattern.test(ref)) return ref;
  return failed('missing_ref', `ref: ${JSON.stringify(ref.slice(0, 80))} is no reference of a ticket`);
}

/** The summary, and the default when it is not set or renders to nothing. */
export function writeSummary(writer: Writer, command: Command, params: FieldParams, max: number): string {
  const written = params.summary === undefined ? '' : writeLine(writer, 'summary', params.summary, max);
  if (written !== '') return written;
  return cut(writer, 'summary', headline(noticeAlert(command, {}, writer.views).value), max);
}

export interface DescriptionRules {
  readonly escape: Escape;
  readonly style: DescriptionStyle;
  readonly max: number;
}

export function writeDescription(
  writer: Writer,
  command: Command,
  params: FieldParams,
  { escape: kind, style, max }: DescriptionRules,
): string {
  if (params.description !== undefined) {
    const written = writeText(writer, 'description', params.description, kind, max);
    if (written.trim() !== '') return written;
  }
  const alert = noticeAlert(command, { max_rows: 100 }, writer.views).value;
  return cut(writer, 'description', describeAlert(alert, command, style), max);
}

/** The mark of `dedupe.key`; null without it. A key without a value would make everything the same ticket. */
export function writeFingerprint(
  writer: Writer,
  command: Command,
  params: TicketParams,
): string | null | Failed {
  if (params.dedupe === undefined) return null;
  const rendered = renderText(params.dedupe.key, writer.views, 'none');
  const [nothing] = rendered.empty;
  if (nothing !== undefined) return failed('template', `dedupe/key: {{${nothing}}} has no value`);
  if (rendered.text.trim() === '') return failed('template', 'dedupe/key: is empty');
  return fingerprintMark(command, rendered.text);
}

/** `fields` as values. Objects of the event become their JSON text. */
export function writeFields(writer: Writer, params: FieldParams): Readonly<Record<string, Json>> {
  if (params.fields === undefined) return {};
  const rendered = renderJson(params.fields, writer.views);
  writer.warnings.push(...warningsOf('fields', rendered));
  return plainLeaves(params.fields, rendered.value) as Readonly<Record<string, Json>>;
}

/** `rendered` with texts in place of the objects that came out of leaves of `template`. */
export function plainLeaves(template: Json, rendered: Json): Json {
  if (typeof template === 'string') return hasObject(rendered) ? JSON.stringify(rendered) : rendered;
  if (Array.isArray(template))
    return template.map((item: Json, index) =>
      plainLeaves(item, (rendered as readonly Json[])[index] ?? null),
    );
  if (template === null || typeof template !== 'object') return rendered;
  return Object.fromEntries(
    Object.entries(template).map(([name, item]) => [
      name,
      plainLeaves(item as Json, (rendered as Readonly<Record<string, Json>>)[name] ?? null),
    ]),
  );
}

function hasObject(value: Json): boolean {
  if (Array.isArray(value)) return value.some((item) => item !== null && typeof item === 'object');
  return value !== null && typeof value === 'object';
}
