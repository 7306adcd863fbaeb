// Looking a member name up in the tables that lead along the wanted paths; their format is in ../tables.ts.

/** Whether the name at [start, end), whose first 16 bytes are `head`, is that of the table entry. */
export function isName(entry: usize, start: usize, end: usize, head: v128): bool {
  const length = end - start;
  if (load<u32>(entry, 12) != (length as u32)) return false;
  const known: usize = load<u32>(entry, 8);
  if (v128.any_true(v128.xor(head, v128.load(known)))) return false;
  for (let k: usize = 16; k < length; k++)
    if (load<u8>(start + k) != load<u8>(known + k)) return false;
  return true;
}

/**
 * For a name with dots: whether a shorter way to the same paths led into this object already. Tells the shorter ways,
 * should they still come.
 */
export function isAmbiguous(entry: usize, serial: u32): bool {
  let shorter: usize = load<u32>(entry, 24);
  while (true) {
    const other: usize = load<u32>(shorter);
    if (other == 0) return false;
    if (load<u32>(other, 16) == serial) return true;
    store<u32>(other, serial, 20);
    shorter += 4;
  }
}
