// Reads the frames that a RELP receiver sends: `TXNR COMMAND LEN[ DATA]LF`.
//
// Invariant: bounded: a header longer than any can be, or data above 64 KiB, is a violation and ends the reading.

/** RELP numbers have at most nine digits. */
export const lastNumber = 999_999_999;

export interface RelpFrame {
  readonly number: number;
  readonly command: string;
  /** Of an answer: its code, 0 without one, and the line that it is in. */
  readonly code: number;
  readonly detail: string;
  /** All of the data. */
  readonly text: string;
}

const header = /^(\d{1,9}) ([A-Za-z]{1,32}) (\d{1,9})([ \n])/;
const mostHeaderBytes = 64;
const mostDataBytes = 65_536;

/** A function for received bytes in pieces of any size. `onViolation` is called once; what follows is ignored. */
export function createRelpReader(
  onFrame: (frame: RelpFrame) => void,
  onViolation: (complaint: string) => void,
): (bytes: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let violated = false;

  function violate(complaint: string): void {
    violated = true;
    onViolation(complaint);
  }

  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    let at = 0;
    while (!violated && at < rest.length) {
      const found = header.exec(rest.toString('latin1', at, at + mostHeaderBytes));
      if (found === null) {
        if (rest.length - at >= mostHeaderBytes || rest.indexOf(0x0a, at) >= 0) violate('no RELP frame');
        break;
      }
      const [head, number, command, digits, separator] = found as unknown as [
        string,
        string,
        string,
        string,
        string,
      ];
      const length = Number(digits);
      if (length > mostDataBytes || (length > 0 && separator === '\n')) return violate('no RELP frame');
      // Without data the line feed comes at once; some senders put the space all the same.
      const data = length === 0 && separator === '\n' ? at + head.length - 1 : at + head.length;
      const end = data + length;
      if (rest.length <= end) break;
      if (rest[end] !== 0x0a) return violate('a RELP frame without its line feed');
      const text = rest.toString('utf8', data, end);
      const detail = text.split('\n', 1)[0]!.slice(0, 200);
      const code = Number(/^\d{3}(?= |$)/.exec(detail)?.[0] ?? 0);
      at = end + 1;
      onFrame({ number: Number(number), command, code, detail, text });
    }
    rest = violated ? Buffer.alloc(0) : Buffer.from(rest.subarray(at));
  };
}
