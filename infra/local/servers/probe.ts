// Asks a server, in its own protocol and without a client library, whether it serves; answers false for anything else.
import { connect } from 'node:net';

/**
 * Sends `request` to 127.0.0.1:port and lets `judge` look at everything received so far: true or false decides, undefined waits for more.
 * A refused or closed connection and `timeoutMs` mean false.
 */
export function ask(
  port: number,
  request: Buffer,
  judge: (answer: Buffer) => boolean | undefined,
  timeoutMs = 1_000,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let answer = Buffer.alloc(0);
    const settle = (verdict: boolean) => {
      socket.destroy();
      resolve(verdict);
    };
    socket.setTimeout(timeoutMs, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.once('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      const verdict = judge(answer);
      if (verdict !== undefined) settle(verdict);
    });
  });
}
