// Names of one object beyond the first few: a table, so that an object with 2,000 members costs no more than its bytes.
//
// Invariant: an entry counts for one object only, by the object's serial number. What older documents left is free room.
import { nameTable, nameTableProbes, nameTableRoom, nameTableSlots } from '../layout';

/** Of the first object of the document; smaller numbers belong to earlier documents. */
let firstSerial: u32 = 0;
let used: i32 = 0;

export function startNames(serial: u32): void {
  firstSerial = serial;
  used = 0;
}

/** 0 when the name was new to the object, 1 when its signature was there, 2 when there is no room. */
export function addName(signature: u32, serial: u32): i32 {
  if (++used > nameTableRoom) return 2;
  let at = (signature ^ (serial * 0x9e3779b1)) * 0x85ebca6b;
  at ^= at >>> 16;
  for (let probe = 0; probe < nameTableProbes; probe++, at++) {
    const entry = nameTable + (((at & (nameTableSlots - 1)) as usize) << 3);
    const owner = load<u32>(entry, 4);
    if (owner < firstSerial) {
      store<u32>(entry, signature);
      store<u32>(entry, serial, 4);
      return 0;
    }
    if (owner == serial && load<u32>(entry) == signature) return 1;
  }
  return 2;
}
