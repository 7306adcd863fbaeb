// The destinations of `bench actions` by number: a connection each, with an address of its own.
import type { HttpConnection } from '@tocsin/schemas/types.ts';

export const connectionOf = (destination: number): string => `d-${destination}`;

/** 127.64.0.0/16 has room for 65,536 of them. */
export const addressOf = (destination: number): string => `127.64.${destination >> 8}.${destination & 255}`;

export function connectionDocument(
  destination: number,
  port: number,
  over: Partial<HttpConnection> = {},
): HttpConnection {
  return {
    kind: 'connection',
    id: connectionOf(destination),
    type: 'http',
    protocol: 'http',
    allow_insecure: true,
    host: addressOf(destination),
    port,
    allow_cidrs: ['127.64.0.0/16'],
    ...over,
  };
}
