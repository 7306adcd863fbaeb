// CRC-32C of a buffer, as the client computes it, without the copy that the client makes.
//
// Surprise: the client copies every plain buffer before it calls the native function, and takes the one inside a Reader as
// it is.
import { crc32c, Reader } from '@platformatic/kafka';

export function checksum(data: Buffer): number {
  return crc32c(Reader.from(data).buffer);
}
