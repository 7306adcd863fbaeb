// The connection of its own for Fetch, against a peer that answers right, wrong, or not.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FetchConnection } from './fetch-connection.ts';
import { ResponseBuffers } from './response-buffers.ts';

const request = { maxWaitMs: 1, maxBytes: 1, maxBytesPerPartition: 1, partitions: [] };
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** `answer` gets the correlation id of each request. */
async function peer(answer: (correlation: number, socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('data', (data) => answer(data.readInt32BE(8), socket));
    socket.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

async function open(port: number): Promise<{ connection: FetchConnection; closed: () => number }> {
  let closed = 0;
  const connection = await FetchConnection.open({
    settings: { brokers: [], clientId: 'test' },
    address: { host: '127.0.0.1', port },
    servername: undefined,
    buffers: new ResponseBuffers(),
    onClose: () => closed++,
  });
  return { connection, closed: () => closed };
}

/** An empty Fetch v12 answer with an error code. */
function answerOf(correlation: number, errorCode: number): Buffer {
  const frame = Buffer.alloc(4 + 4 + 1 + 4 + 2 + 4 + 2);
  frame.writeInt32BE(frame.length - 4, 0);
  frame.writeInt32BE(correlation, 4);
  frame.writeInt16BE(errorCode, 13);
  frame[19] = 1;
  return frame;
}

describe('a fetch connection', () => {
  it('answers each request in turn', async () => {
    const port = await peer((correlation, socket) => socket.write(answerOf(correlation, correlation + 10)));
    const { connection, closed } = await open(port);
    expect((await connection.fetch(request)).errorCode).toBe(11);
    expect((await connection.fetch(request)).errorCode).toBe(12);
    connection.close();
    await expect.poll(closed).toBe(1);
    await expect(connection.fetch(request)).rejects.toThrow('connection closed');
  });

  it('ends at an answer to another request', async () => {
    const port = await peer((correlation, socket) => socket.write(answerOf(correlation + 1, 0)));
    const { connection, closed } = await open(port);
    await expect(connection.fetch(request)).rejects.toThrow('not the one that waits');
    await expect.poll(closed).toBe(1);
  });

  it('ends at bytes that are no frame', async () => {
    const port = await peer((_correlation, socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const { connection } = await open(port);
    await expect(connection.fetch(request)).rejects.toThrow(RangeError);
  });

  it('fails what waits when the peer goes away', async () => {
    const port = await peer((_correlation, socket) => socket.destroy());
    const { connection, closed } = await open(port);
    await expect(connection.fetch(request)).rejects.toThrow();
    await expect.poll(closed).toBe(1);
  });

  it('says that nobody listens', async () => {
    const port = await peer(() => undefined);
    const server = servers.pop()!;
    server.close();
    await once(server, 'close');
    await expect(open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
