// The tables that lead a scan along the wanted paths, laid out for the memory of the scan module.
//
// Invariant: a node stands for a set of (path, segments consumed). A member name leads from it to the set that consuming
// the name gives, whether it is one segment or several with dots between them; so the scan looks a name up once.
// Surprise: pointers in the tables are addresses in the module's memory; the root is the first node.
import { tableBytes, tables } from './layout.ts';

/** Node: mask of its hash table in bytes, slot of the path that ends here or -1, two unused words; then the entries. */
const nodeBytes = 16;
/**
 * Entry: signature of the name, node it leads to (0: free), address and length of the name, two stamps of the scan, address
 * of the list of entries whose names are shorter ways to the same paths (0: none), one unused word.
 */
const entryBytes = 32;

interface Node {
  slot: number;
  readonly edges: Map<string, Node>;
  address: number;
  mask: number;
}

interface Name {
  readonly address: number;
  readonly length: number;
  readonly signature: number;
}

type Position = readonly [path: number, from: number];

/**
 * Tables for `paths`; `sign` gives the signature of a name. RangeError for an empty path, an empty segment, a segment with a dot, a path
 * given twice, or too many paths.
 */
export function layTables(
  paths: readonly (readonly string[])[],
  sign: (name: Uint8Array) => number,
): Uint8Array {
  const nodes = linkNodes(paths);
  let words = new Int32Array(4_096);
  let size = 0;
  const claim = (bytes: number): number => {
    const address = tables + size;
    size += (bytes + 15) & ~15;
    if (size > tableBytes) throw new RangeError(`${paths.length} paths need more than ${tableBytes} bytes`);
    if (size > words.byteLength) {
      const larger = new Int32Array(Math.max(size, 2 * words.byteLength) >> 2);
      larger.set(words);
      words = larger;
    }
    return address;
  };
  const put = (address: number, value: number): void => {
    words[(address - tables) >> 2] = value;
  };
  for (const node of nodes) {
    // At most half full: a name that nobody wants mostly meets a free entry at once.
    let capacity = 1;
    while (node.edges.size > 0 && capacity < 2 * node.edges.size) capacity *= 2;
    node.mask = (capacity - 1) * entryBytes;
    node.address = claim(nodeBytes + capacity * entryBytes);
  }
  const known = new Map<string, Name>();
  const entries = new Map<string, number>();
  for (const node of nodes) {
    put(node.address, node.mask);
    put(node.address + 4, node.slot);
    entries.clear();
    for (const [text, next] of node.edges) {
      const name = nameOf(text);
      // Two wanted names with one signature: the scan meets the first and refuses to decide.
      let entry = (name.signature << 5) & node.mask;
      const first = node.address + nodeBytes;
      while (words[(first + entry + 4 - tables) >> 2] !== 0) entry = (entry + entryBytes) & node.mask;
      entry += first;
      put(entry, name.signature);
      put(entry + 4, next.address);
      put(entry + 8, name.address);
      put(entry + 12, name.length);
      entries.set(text, entry);
    }
    for (const [text, entry] of entries) {
      if (!text.includes('.')) continue;
      const shorter = waysBefore(text).flatMap((way) => entries.get(way) ?? []);
      if (shorter.length === 0) continue;
      const list = claim((shorter.length + 1) * 4);
      put(entry + 24, list);
      for (let k = 0; k < shorter.length; k++) put(list + 4 * k, shorter[k]!);
    }
  }
  return new Uint8Array(words.buffer, 0, size);

  function nameOf(text: string): Name {
    let name = known.get(text);
    if (name !== undefined) return name;
    const bytes = Buffer.from(text);
    const address = claim(Math.max(bytes.length, 1));
    new Uint8Array(words.buffer).set(bytes, address - tables);
    name = { address, length: bytes.length, signature: sign(bytes) };
    known.set(text, name);
    return name;
  }
}

/** The names that are shorter ways to where `name` leads: `a.b.c` gives `a` and `a.b`. */
function waysBefore(name: string): string[] {
  const ways: string[] = [];
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1))
    ways.push(name.slice(0, dot));
  return ways;
}

function linkNodes(paths: readonly (readonly string[])[]): Node[] {
  const wanted = new Set<string>();
  const start: Position[] = [];
  paths.forEach((path, slot) => {
    const text = path.join('.');
    if (path.length === 0 || path.some((segment) => segment === '' || segment.includes('.')))
      throw new RangeError(`'${text}' is not a list of names without dots`);
    if (wanted.has(text)) throw new RangeError(`'${text}' is given twice`);
    wanted.add(text);
    // Half a surrogate pair can only be written as an escape, and names with escapes end a scan.
    if (path.every((segment) => segment.isWellFormed())) start.push([slot, 0]);
  });
  const nodes: Node[] = [];
  // All positions of a node have consumed the same text, which therefore names the node.
  const known = new Map<string, Node>();
  reach('', start);
  return nodes;

  function reach(consumed: string, positions: readonly Position[]): Node {
    const found = known.get(consumed);
    if (found !== undefined) return found;
    const node: Node = { slot: -1, edges: new Map(), address: 0, mask: 0 };
    known.set(consumed, node);
    nodes.push(node);
    const next = new Map<string, Position[]>();
    for (const [slot, from] of positions) {
      const path = paths[slot]!;
      if (from === path.length) node.slot = slot;
      let name = '';
      for (let to = from; to < path.length; to++) {
        name = to === from ? path[to]! : `${name}.${path[to]}`;
        const group = next.get(name);
        if (group === undefined) next.set(name, [[slot, to + 1]]);
        else group.push([slot, to + 1]);
      }
    }
    for (const [name, group] of next)
      node.edges.set(name, reach(consumed === '' ? name : `${consumed}.${name}`, group));
    return node;
  }
}
