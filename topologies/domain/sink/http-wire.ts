// What all sinks that speak HTTP have in common: bodies compressed off the main thread, and the verdict when no answer came.
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpFailure } from '../../ports/http.ts';
import type { BatchVerdict } from './define-sink.ts';

const compress = promisify<Buffer, { level: number }, Buffer>(gzip);

/** Level 1: the size hardly differs from higher levels for events, the time does. */
export const gzipBody = (body: Buffer): Promise<Buffer> => compress(body, { level: 1 });

/** The verdict when no answer came. Names and certificates are configuration; the rest passes. */
export function judgeFailure(failure: HttpFailure): BatchVerdict {
  const { failure: code, message } = failure;
  if (code === 'denied' || code === 'dns' || code === 'tls')
    return { class: 'sink-fault', code, detail: message };
  return {
    class: 'transient',
    code,
    detail: message,
    afterMs: null,
    slowDown: code === 'timeout',
    accepted: 0,
  };
}
