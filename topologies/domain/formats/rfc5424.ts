// Syslog messages of RFC 5424: PRI, header fields, structured data.
//
// Invariant: header fields are PRINTUSASCII within their lengths or `-`; PARAM-VALUE has `"`, `\` and `]` escaped (section 6.3.3) and no
// line end; SD-IDs of our own have the form name@number (section 6.3.2).
import { cutText, oneLine } from './one-line.ts';

/** Numerical codes of section 6.2.1. */
export const facilities = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  ntp: 12,
  audit: 13,
  alert: 14,
  clock: 15,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;

/** By rank of the severity: informational 6, low 5 (notice), medium 4 (warning), high 3 (error), critical 2. */
export const syslogSeverities = [6, 5, 4, 3, 2] as const;

/** Of events that carry no severity: informational. */
export const syslogUnrated = 6;

/** Most characters of the header fields, section 6. */
export const headerLimits = { hostname: 255, appName: 48, procId: 128, msgId: 32 } as const;

export const byteOrderMark = '\ufeff';

/** `<PRI>` of a facility and a severity from 0 to 7. */
export function priority(facility: keyof typeof facilities, severity: number): string {
  return `<${facilities[facility] * 8 + severity}>`;
}

/** A header field: characters outside of PRINTUSASCII go, the rest is cut to `max`; `-` when nothing is left. */
export function headerField(text: string, max: number): string {
  return text.replace(/[^\x21-\x7e]/g, '').slice(0, max) || '-';
}

/** A PARAM-VALUE of at most `max` characters before escapes, without its quotes. */
export function paramValue(text: string, max: number): string {
  return cutText(oneLine(text), max).replace(/["\\\]]/g, '\\$&');
}

/** SD-NAME: 1 to 32 of PRINTUSASCII without `=`, space, `]` and `"`. */
export const sdName = /^[!#-<>-\\^-~]{1,32}$/;

/** TIMESTAMP in UTC with milliseconds; `-` when `ms` is no time of the years 0 to 9999. */
export function timestamp(ms: number): string {
  return ms >= -62_167_219_200_000 && ms <= 253_402_300_799_999 ? new Date(ms).toISOString() : '-';
}
