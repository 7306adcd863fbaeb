// What the end of a connection says: the one end that is a proof, and every other, over TCP and TLS.
import type { Socket } from 'node:net';
import { createAuthority } from '@tocsin/testing/certificates.ts';
import { type RawReceiver, startRawReceiver } from '@tocsin/testing/receivers/raw.ts';
import type { SyslogConnection } from '@tocsin/topologies/ports/syslog.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { createEgressPolicy } from '../http/egress-policy.ts';
import { createSyslogClient } from './client.ts';

const authority = createAuthority();
const leaf = authority.issue(['IP:127.0.0.1']);
const client = createSyslogClient({
  egress: createEgressPolicy({ mode: 'open', allowCidrs: ['127.0.0.0/8'] }),
});
const open: RawReceiver[] = [];
afterEach(() => Promise.all(open.splice(0).map((receiver) => receiver.close())));

const message = Buffer.alloc(100_000, 'm');

describe.each(['tcp', 'tls'] as const)('%s', (carrier) => {
  /** A connection to a receiver that does what `script` says; `heard` is what it has read. */
  async function connected(
    script: (socket: Socket) => void,
  ): Promise<SyslogConnection & { heard: () => number }> {
    let heard = 0;
    const receiver = await startRawReceiver(
      (socket) => {
        socket.on('data', (bytes) => {
          heard += bytes.length;
        });
        script(socket);
      },
      carrier === 'tls' ? { tls: leaf } : {},
    );
    open.push(receiver);
    const connection = await client.connect(
      {
        host: '127.0.0.1',
        port: receiver.port,
        tls: carrier === 'tls' ? { ca: authority.cert } : null,
        timeoutMs: 5_000,
        allowCidrs: [],
      },
      () => undefined,
    );
    return { ...connection, heard: () => heard };
  }

  it('an end after ours is the proof: everything was read', async () => {
    const connection = await connected(() => undefined);
    for (let n = 0; n < 50; n++) await connection.write(message);
    connection.end();
    expect(await connection.over).toBeNull();
    expect(connection.heard()).toBe(50 * message.length);
  });

  it('S04: an end before ours is none', async () => {
    const connection = await connected((socket) => socket.end());
    await connection.write(message);
    expect(await connection.over).toMatchObject({ failure: expect.stringMatching(/^(ended|reset)$/) });
  });

  it('an end while our own still waits behind unsent data is none', async () => {
    const connection = await connected((socket) => {
      socket.pause();
      setTimeout(() => socket.end(), 100);
    });
    for (let n = 0; n < 200; n++) void connection.write(message);
    connection.end();
    expect(await connection.over).toMatchObject({ failure: expect.stringMatching(/^(ended|reset)$/) });
  });

  it('S01: a reset is none, before and after our end', async () => {
    for (const end of [false, true]) {
      const connection = await connected((socket) => {
        socket.pause();
        setTimeout(() => (carrier === 'tcp' ? socket.resetAndDestroy() : socket.destroy()), 100);
      });
      void connection.write(message);
      if (end) connection.end();
      expect(await connection.over).not.toBeNull();
    }
  });

  it('dropped by us is none, and what is written afterwards goes nowhere', async () => {
    const connection = await connected(() => undefined);
    connection.destroy();
    expect(await connection.over).toMatchObject({ failure: 'aborted' });
    await connection.write(message);
  });

  it('S02: a receiver that does not read leaves no room', async () => {
    const connection = await connected((socket) => socket.pause());
    let written = 0;
    const writing = (async () => {
      for (; written < 1_000; written++) await connection.write(message);
    })();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const stuck = written;
    expect(stuck).toBeLessThan(200);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(written).toBe(stuck);
    connection.destroy();
    await writing;
  });
});
