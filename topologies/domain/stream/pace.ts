// What to do with a client that does not take its events as fast as they come.
//
// Invariant: a client never has more than `boundBytes` (and one event) waiting in its socket, and nobody waits for a client.
// Surprise: how far behind a client is costs nothing: it keeps a position, not events. Only a socket that takes nothing is closed.

export interface Pace {
  /** Bytes that were written and that the socket has not taken. */
  readonly pendingBytes: number;
  readonly boundBytes: number;
  /** Since when the socket has taken nothing although bytes wait, ms. */
  readonly blockedMs: number;
  readonly stallMs: number;
  /** Events that it has not had are no longer in memory. */
  readonly behind: boolean;
}

export type Step = 'write' | 'wait' | 'catch-up' | 'close';

export function nextStep({ pendingBytes, boundBytes, blockedMs, stallMs, behind }: Pace): Step {
  if (pendingBytes > 0 && blockedMs >= stallMs) return 'close';
  if (pendingBytes >= boundBytes) return 'wait';
  return behind ? 'catch-up' : 'write';
}
