// Where everything lies in the memory of the scan module: read by the AssemblyScript source and by its host alike.
//
// Invariant: no two regions overlap, and what is written past a region's nominal end (16 bytes at most) is padding.
// Surprise: the memory never grows, so views of it stay valid for the life of the process. Most of it is never touched and
// so takes no physical memory: about 0.3 MiB after small events.

/** Masks that keep the first n bytes of 16, n = 0 to 16. */
export const masks = 0x0100;
/** By byte: 1 for a letter that may follow a backslash, 2 for a hexadecimal digit, 3 for both. */
export const letters = 0x0300;
// The compiler puts its own constants at 0x0400.
/**
 * What a check leaves, 4 bytes each: start and end in the document of `timestamp`, `data.asset.name`, `id`, `@timestamp`; 1 when there
 * is white space between tokens.
 */
export const markWords = 0x0800;
/** One frame for each container that is open around the current one. */
export const frames = 0x1000;
export const frameBytes = 32;
/** Signatures of the names seen in the open objects, innermost last; 4 bytes each. */
export const signatures = 0x2000;
/** Names of one object beyond this go into the table of names. */
export const linearNames = 64;
/** Open-addressing table of (signature, object) for objects with many names; 8 bytes each. */
export const nameTable = 0x10000;
export const nameTableSlots = 65_536;
/** Above this many names of one document the table counts as full. */
export const nameTableRoom = 16_384;
export const nameTableProbes = 64;

/** Elements found in one document, as parallel arrays. */
export const elementRoom = 16_384;
export const elementValue = 0x90000;
export const elementSlot = elementValue + elementRoom * 8;
export const elementStart = elementSlot + elementRoom * 4;
export const elementEnd = elementStart + elementRoom * 4;
export const elementHash = elementEnd + elementRoom * 4;
export const elementOwner = elementHash + elementRoom * 4;
export const elementKinds = elementOwner + elementRoom * 4;
export const elementFlags = elementKinds + elementRoom;

/** The path tables of the scanner in use; format in tables.ts. */
export const tables = 0x140000;
export const tableBytes = 8 * 1024 * 1024;

/** Text to be hashed that is not part of a document. */
export const scratch = tables + tableBytes;
export const scratchBytes = 0x20000;

/** The document. 64 bytes in front and behind may be read, 16 behind are written. */
export const documentBase = scratch + scratchBytes + 64;
/** Above the size limit of parseJson nothing is scanned. */
export const documentBytes = 1_048_576;
export const memoryPages = (documentBase + documentBytes + 0x10000) >>> 16;

/** Nesting, names of an object, bytes of a name and of a number: those of parseJson. */
export const maxDepth = 64;
export const maxKeys = 2_000;
export const maxKeyBytes = 1_024;
export const maxNumberBytes = 100;
