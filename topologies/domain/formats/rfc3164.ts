// The header of BSD syslog, RFC 3164 section 4.1, for collectors that know nothing newer: `Mmm dd hh:mm:ss HOSTNAME `.
//
// Surprise: it has neither a year nor a time zone. We write UTC.

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** TIMESTAMP: the day has two places, filled with a space. `ms` is epoch ms; what is no time becomes the first of January. */
export function bsdTimestamp(ms: number): string {
  const at = new Date(Math.abs(ms) <= 8.64e15 ? ms : 0);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = String(at.getUTCDate()).padStart(2, ' ');
  return `${months[at.getUTCMonth()]} ${day} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
}

/** TAG: at most 32 alphanumeric characters (section 4.1.3). */
export function bsdTag(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, '').slice(0, 32);
}
