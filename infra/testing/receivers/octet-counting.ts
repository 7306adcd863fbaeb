// Reads octet-counted syslog messages (RFC 6587 3.4.1) from pieces of any size.

export interface OctetReader {
  add(bytes: Buffer): void;
  /** Bytes that are no whole message yet. */
  rest(): number;
}

/** `onMessage` has each message as a view, null for one that no space divides from its count. */
export function createOctetReader(onMessage: (message: Buffer | null) => void): OctetReader {
  let rest: Buffer = Buffer.alloc(0);
  return {
    add(bytes) {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let at = 0;
      for (;;) {
        let length = 0;
        let digit = at;
        while (digit < all.length && all[digit]! >= 0x30 && all[digit]! <= 0x39)
          length = length * 10 + all[digit++]! - 0x30;
        if (digit >= all.length || all.length <= digit + length) break;
        onMessage(all[digit] === 0x20 ? all.subarray(digit + 1, digit + 1 + length) : null);
        at = digit + 1 + length;
      }
      rest = all.subarray(at);
    },
    rest: () => rest.length,
  };
}
