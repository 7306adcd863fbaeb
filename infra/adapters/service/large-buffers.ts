// Tells V8 what kind of process this is: one that moves much data through buffers and makes few objects.
//
// By default V8 starts a full collection each time some tens of megabytes of buffers were allocated, whatever they are.
// Buffers that are used again (log answers, slabs) left few of those; counted in the limit of the whole heap the rest causes
// fewer still. Objects are few, so the young generation need not grow; that keeps the resident size down.
// Measured in docs/decisions/0009-buffers-that-come-back.md.
import { setFlagsFromString } from 'node:v8';

/** Call first thing in the process: V8 reads the flags when it sizes the heap. */
export function expectLargeBuffers(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  setFlagsFromString('--semi-space-growth-factor=1');
}
