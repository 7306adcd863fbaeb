// Which networks an element's address lies in: one look-up for every distinct prefix length that rules of the field use.
//
// Invariant: an address is what address.ts reads as one; plain IPv4, nearly all of them, is read here without making a text.
import { type Address, readAddress } from '../address.ts';
import { atomSort, findExact } from './atoms.ts';
import { type FieldIndex, type FieldTable, hashNetwork } from './fields.ts';
import { hit, type Run } from './run.ts';

/** Family, prefix length, masked address: as the atoms of networks are stored. */
const masked = new Uint8Array(18);
const address = new Uint8Array(16);

/** ASCII `memory[start, end)`. */
export function lookUpAddress(
  run: Run,
  table: FieldTable,
  field: FieldIndex,
  memory: Buffer,
  start: number,
  end: number,
): void {
  if (readPlain(memory, start, end)) lookUpBytes(run, table, field, 4);
  else if (end - start <= 128 && memory.subarray(start, end).includes(0x3a))
    lookUpAddressText(run, table, field, memory.toString('latin1', start, end));
}

export function lookUpAddressText(run: Run, table: FieldTable, field: FieldIndex, text: string): void {
  const read: Address | undefined = readAddress(text);
  if (read === undefined) return;
  address.set(read.bytes);
  lookUpBytes(run, table, field, read.family);
}

/** Four decimal numbers without leading zeros into `address`. */
function readPlain(memory: Uint8Array, start: number, end: number): boolean {
  if (end - start < 7 || end - start > 15) return false;
  let part = 0;
  let digits = 0;
  let value = 0;
  for (let i = start; i <= end; i++) {
    const byte = i === end ? 0x2e : (memory[i] as number);
    if (byte === 0x2e) {
      if (digits === 0 || part > 3 || value > 255) return false;
      address[part] = value;
      part += 1;
      digits = 0;
      value = 0;
    } else {
      if (byte < 0x30 || byte > 0x39 || (digits > 0 && value === 0)) return false;
      value = value * 10 + byte - 0x30;
      digits += 1;
    }
  }
  return part === 4;
}

function lookUpBytes(run: Run, table: FieldTable, field: FieldIndex, family: 4 | 6): void {
  const length = family === 4 ? 4 : 16;
  for (let n = 0; n < field.networks.length; n++) {
    const code = field.networks[n] as number;
    if (code >= 1000 !== (family === 6)) continue;
    const bits = code >= 1000 ? code - 1000 : code;
    masked[0] = family;
    masked[1] = bits;
    for (let i = 0; i < length; i++) {
      const kept = bits - i * 8;
      const byte = address[i] as number;
      masked[2 + i] = kept >= 8 ? byte : kept <= 0 ? 0 : byte & (0xff << (8 - kept));
    }
    const hash = hashNetwork(table.seed, masked, 2 + length);
    const atom = findExact(table.atoms, field.id * 16 + atomSort.cidr, hash, masked, 0, 2 + length);
    if (atom >= 0) hit(run, table, field.id, atom);
  }
}
