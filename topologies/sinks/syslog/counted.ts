// Messages in a body with octet counting (RFC 6587 section 3.4.1): `LEN SP MSG`, one right after the other.

/** The position after the message that begins at `start`, its length included. */
export function countedEnd(body: Buffer, start: number): number {
  return messageStart(body, start) + lengthAt(body, start);
}

/** Where the text of the message that begins at `start` begins, after its length. */
export function messageStart(body: Buffer, start: number): number {
  let at = start;
  while (body[at] !== 0x20) at++;
  return at + 1;
}

function lengthAt(body: Buffer, start: number): number {
  let length = 0;
  for (let at = start; body[at] !== 0x20; at++) length = length * 10 + body[at]! - 0x30;
  return length;
}

/** The text of a body of one message. */
export function countedText(body: Buffer): string {
  return body.toString('utf8', messageStart(body, 0));
}
