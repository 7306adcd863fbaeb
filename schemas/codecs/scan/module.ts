// The WebAssembly module of the scan: one instance for the process, and the views of its memory.
import type { Elements } from './elements.ts';
import * as layout from './layout.ts';
import { scanModule } from './scan.wasm.ts';

// Of the global that the types of the language leave to the host; what is used here.
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  prepare(): void;
  seed(value: number): void;
  /** The number of the next object. */
  readonly serials: { value: number };
  needsFreshTables(): number;
  scan(size: number): number;
  check(size: number): number;
  hash(start: number, end: number): number;
  signature(start: number, end: number): number;
}

export interface ScanModule {
  readonly exports: Exports;
  /** All of the memory. */
  readonly bytes: Uint8Array;
  /** The place of the document. */
  readonly document: Uint8Array;
}

let loaded: ScanModule | null = null;
let seeded = Number.NaN;

/** The module, compiled at the first call (a few milliseconds). */
export function module(): ScanModule {
  if (loaded !== null) return loaded;
  const code = new WebAssembly.Module(Buffer.from(scanModule, 'base64'));
  const exports = new WebAssembly.Instance(code, {}).exports as Exports;
  exports.prepare();
  const bytes = new Uint8Array(exports.memory.buffer);
  const document = bytes.subarray(layout.documentBase, layout.documentBase + layout.documentBytes);
  loaded = { exports, bytes, document };
  return loaded;
}

/** Makes `seed` that of all hashes and signatures from now on. */
export function useSeed(seed: number): void {
  if (seed === seeded) return;
  module().exports.seed(seed);
  seeded = seed;
}

/** Hash of a text as the scan makes it. RangeError above 128 KiB. */
export function hashBytes(text: Uint8Array, seed: number): number {
  useSeed(seed);
  const at = putScratch(text);
  return module().exports.hash(at, at + text.length);
}

/** Signature of a member name. */
export function signatureOf(name: Uint8Array, seed: number): number {
  useSeed(seed);
  const at = putScratch(name);
  return module().exports.signature(at, at + name.length);
}

function putScratch(text: Uint8Array): number {
  if (text.length > layout.scratchBytes) throw new RangeError(`${text.length} bytes to be hashed`);
  module().bytes.set(text, layout.scratch);
  return layout.scratch;
}

/** The arrays of the elements; `count` is for the scanner to set. */
export function elementViews(): Elements & { count: number } {
  const { buffer } = module().exports.memory;
  const room = layout.elementRoom;
  return {
    count: 0,
    slot: new Int32Array(buffer, layout.elementSlot, room),
    kind: new Uint8Array(buffer, layout.elementKinds, room),
    flags: new Uint8Array(buffer, layout.elementFlags, room),
    start: new Int32Array(buffer, layout.elementStart, room),
    end: new Int32Array(buffer, layout.elementEnd, room),
    hash: new Int32Array(buffer, layout.elementHash, room),
    owner: new Int32Array(buffer, layout.elementOwner, room),
    value: new Float64Array(buffer, layout.elementValue, room),
    memory: Buffer.from(buffer, layout.documentBase, layout.documentBytes),
  };
}
