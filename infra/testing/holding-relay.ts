// A line between a client and a server that can be stopped at a byte of the request, or between the effect and the answer.
//
// Invariant: what is held has not reached the other side, and goes nowhere when the client dies meanwhile.
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';

/**
 * request: the server gets the bytes up to and with `after`, and not one of them when that is null. answer: the server gets all, and
 * what it says once it has got `after` is held.
 */
export type Hold =
  | { readonly what: 'request'; readonly after: string | null }
  | { readonly what: 'answer'; readonly after: string };

export interface HoldingRelay {
  readonly port: number;
  /** For connections to come; those that are open end, so that none of them is used for what is to be held. */
  hold(hold: Hold | null): void;
  /** Open connections on which something is held. */
  held(): number;
  /** Hands on what is held. */
  letGo(): void;
  /** Connections to come are refused, as by a host on which nobody listens; or taken again. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  close(): Promise<void>;
}

interface Line {
  isHeld(): boolean;
  letGo(): void;
  /** Both sides. */
  end(): void;
}

/** In front of a server on 127.0.0.1. */
export async function startHoldingRelay(serverPort: number): Promise<HoldingRelay> {
  const lines = new Set<Line>();
  let hold: Hold | null = null;
  let server: Server;
  let port = 0;

  async function listen(): Promise<void> {
    server = createServer((inside) => {
      const line = openLine(inside, serverPort, hold);
      lines.add(line);
      inside.once('close', () => lines.delete(line));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  }

  await listen();
  return {
    port,
    hold(next) {
      hold = next;
      for (const line of lines) if (!line.isHeld()) line.end();
    },
    held: () => [...lines].filter((line) => line.isHeld()).length,
    letGo() {
      for (const line of lines) line.letGo();
    },
    async refuse() {
      // The address is given back at once; 'close' would wait for the connections.
      server.close();
    },
    accept: listen,
    async close() {
      for (const line of lines) line.end();
      server.close();
    },
  };
}

function openLine(inside: Socket, serverPort: number, hold: Hold | null): Line {
  const outside = createConnection(serverPort, '127.0.0.1');
  const marker = hold?.after ?? null;
  /** Bytes of the request that were handed on, of which nobody asks more than whether they hold the marker. */
  let said = Buffer.alloc(0);
  let reached = hold !== null && marker === null;
  let released = hold === null;
  const kept: { readonly request: Buffer[]; readonly answer: Buffer[] } = { request: [], answer: [] };

  const end = (): void => {
    inside.destroy();
    outside.destroy();
  };
  for (const socket of [inside, outside]) socket.on('error', end).on('close', end);
  outside.on('data', (bytes: Buffer) => {
    const isHeld = !released && reached && (hold?.what === 'answer' || marker === null);
    if (isHeld) kept.answer.push(bytes);
    else inside.write(bytes);
  });
  inside.on('data', (bytes: Buffer) => {
    if (released) outside.write(bytes);
    else if (reached && hold?.what === 'request') kept.request.push(bytes);
    else {
      const before = said.length;
      said = Buffer.concat([said, bytes]);
      const at = marker === null ? -1 : said.indexOf(marker);
      if (at < 0) return void outside.write(bytes);
      reached = true;
      const split = hold?.what === 'request' ? at + (marker ?? '').length - before : bytes.length;
      outside.write(bytes.subarray(0, split));
      if (split < bytes.length) kept.request.push(bytes.subarray(split));
    }
  });
  return {
    isHeld: () => !released && reached && (hold?.what === 'request' || kept.answer.length > 0),
    letGo() {
      released = true;
      for (const bytes of kept.request.splice(0)) outside.write(bytes);
      for (const bytes of kept.answer.splice(0)) inside.write(bytes);
    },
    end,
  };
}
