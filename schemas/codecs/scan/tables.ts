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
  let size = 0;
  const claim = (bytes: number): number => {
    const address = tables + size;
    size += (bytes + 15) & ~15;
    if (size > tableBytes) throw new RangeError(`${paths.length} paths need more than ${tableBytes} bytes`);
    return address;
  };
  for (const node of nodes) {
    // At most half full: a name that nobody wants mostly meets a free entry at once.
    let capacity = 1;
    while (node.edges.size > 0 && capacity < 2 * node.edges.size) capacity *= 2;
    node.mask = (capacity - 1) * entryBytes;
    node.address = claim(nodeBytes + capacity * entryBytes);
  }
  const names = new Map<string, number>();
  const texts: [address: number, bytes: Uint8Array][] = [];
  const lists: [address: number, entries: number[]][] = [];
  const words: [address: number, value: number][] = [];
  for (const node of nodes) {
    words.push([node.address, node.mask], [node.address + 4, node.slot]);
    const entries = new Map<string, number>();
    const taken = new Set<number>();
    for (const [name, next] of node.edges) {
      const bytes = Buffer.from(name);
      const signature = sign(bytes);
      // Two wanted names with one signature: the scan meets the first and refuses to decide.
      let offset = (signature << 5) & node.mask;
      while (taken.has(offset)) offset = (offset + entryBytes) & node.mask;
      taken.add(offset);
      const entry = node.address + nodeBytes + offset;
      entries.set(name, entry);
      let text = names.get(name);
      if (text === undefined) {
        text = claim(Math.max(bytes.length, 1));
        names.set(name, text);
        texts.push([text, bytes]);
      }
      words.push(
        [entry, signature],
        [entry + 4, next.address],
        [entry + 8, text],
        [entry + 12, bytes.length],
      );
    }
    for (const [name, entry] of entries) {
      const shorter = waysBefore(name).flatMap((way) => entries.get(way) ?? []);
      if (shorter.length === 0) continue;
      const list = claim((shorter.length + 1) * 4);
      lists.push([list, shorter]);
      words.push([entry + 24, list]);
    }
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [address, value] of words) view.setInt32(address - tables, value, true);
  for (const [address, text] of texts) bytes.set(text, address - tables);
  for (const [address, entries] of lists)
    entries.forEach((entry, k) => {
      view.setInt32(address - tables + 4 * k, entry, true);
    });
  return bytes;
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
