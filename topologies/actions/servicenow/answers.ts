// Reads what the Table API answers: {result: record} or {result: [records]}, and {error: {message, detail}}.
//
// Surprise: a query that names a field which the table does not have is not refused: the condition is dropped and everything matches
// (glide.invalid_query.returns_no_rows). So a record counts only when it has the value that was asked for.
import { failed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import { asList, asRecord, asText } from '../../domain/action/ticket/read.ts';
import type { Explained, Found, Ticket } from '../../domain/action/ticket/system.ts';

/** Text of a field, plain or with sysparm_display_value=all. */
function textOf(field: unknown, side: 'value' | 'display_value' = 'value'): string | null {
  return asText(asRecord(field)?.[side] ?? field);
}

function readRecord(value: unknown, address: string): Ticket | null {
  const record = asRecord(value);
  const id = textOf(record?.['sys_id']);
  if (record === null || id === null || !/^[0-9a-f]{32}$/.test(id)) return null;
  const number = textOf(record['number']) ?? '';
  const state = textOf(record['state'], 'display_value') ?? '';
  return {
    ref: /^[A-Za-z0-9_-]{1,40}$/.test(number) ? number : id,
    id,
    url: `${address}${id}`,
    closed: textOf(record['active']) === 'false' ? state || 'not active' : null,
  };
}

/** 201 of a new record. `address`: where people see one, without its sys_id. */
export function readCreated(body: unknown, address: string): Ticket | null {
  return readRecord(asRecord(body)?.['result'], address);
}

/** The record whose `field` is `value`. */
export function readList(
  body: unknown,
  address: string,
  { field, value }: { readonly field: string; readonly value: string },
): Found | Failed | null {
  const records = asList(asRecord(body)?.['result']);
  if (records === null) return null;
  if (records.length === 0) return { ticket: null };
  const found = records.find(
    (record) => textOf(asRecord(record)?.[field])?.toLowerCase() === value.toLowerCase(),
  );
  if (found === undefined)
    return failed(
      'uncertain',
      `the table does not keep ${field}, or this account cannot read it: nothing can be found by it`,
    );
  const ticket = readRecord(found, address);
  return ticket === null ? null : { ticket };
}

/** All entries of a journal field, as one text. */
export function readJournal(body: unknown, field: string): string | null {
  return textOf(asRecord(asRecord(body)?.['result'])?.[field], 'display_value');
}

// 403 is for missing rights, and as well for records that a business rule or a data policy refuses.
const refusedRecord = /business rule|data policy|mandatory|aborted/i;
const refusedAccount = /\bACL\b|security constraint|not authori[sz]ed|role/i;

export function explainServiceNow(body: unknown, status: number): Explained | null {
  const error = asRecord(asRecord(body)?.['error']);
  const texts = [asText(error?.['message']), asText(error?.['detail'])].filter(
    (text) => text !== null && text !== '',
  );
  if (texts.length === 0) return null;
  const text = texts.join(': ');
  return status === 403 && refusedRecord.test(text) && !refusedAccount.test(text)
    ? { text, verdict: { code: 'http_4xx', retry: 'never' } }
    : { text };
}
