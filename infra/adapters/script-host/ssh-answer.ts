// Reads what the program on the host says, see ssh-command.ts: a line with its state, and for a run that ended everything about it.
import { StringDecoder } from 'node:string_decoder';
import type { Captured } from '@tocsin/topologies/domain/script/output.ts';
import type { ScriptEnd } from '@tocsin/topologies/ports/script-host.ts';

export type SshAnswer =
  | { readonly state: 'ended'; readonly end: ScriptEnd }
  | { readonly state: 'uncertain' | 'unknown' | 'cancelled' | 'broken' }
  | { readonly state: 'refused'; readonly detail: string };

/** null when it is not all there. What a login shell prints before the program does is passed over. */
export function readAnswer(said: Buffer): SshAnswer | null {
  const marker = Buffer.from('\ntocsin-1 ');
  const at = said.indexOf(marker);
  if (at < 0) return null;
  const lines = linesOf(said.subarray(at + marker.length), 5);
  const [first = '', exit = '', stopped = '', out = '', err = ''] = lines.texts;
  if (first.startsWith('refused ')) return { state: 'refused', detail: first.slice(8) };
  if (first === 'uncertain' || first === 'unknown' || first === 'cancelled' || first === 'broken')
    return { state: first };
  const numbers = /^(\d+) (\d+) (\d+)$/.exec(exit);
  const stop = /^(-|cancel|time_limit) ([01])$/.exec(stopped);
  const streams = [out, err].map((line) => /^(\d+|-) ([0-9a-f]{64}|-) (\d+)$/.exec(line));
  if (first !== 'ended' || numbers === null || stop === null || streams.includes(null)) return null;
  const [outSize = 0, errSize = 0] = streams.map((stream) => Number(stream?.[3]));
  if (lines.rest.length < outSize + errSize) return null;
  const [, code, startedAt, endedAt] = numbers.map(Number);
  const by = stop[1] as '-' | 'cancel' | 'time_limit';
  return {
    state: 'ended',
    end: {
      exitCode: code as number,
      signal: null,
      stdout: capturedOf(lines.rest.subarray(0, outSize), streams[0] as RegExpExecArray),
      stderr: capturedOf(lines.rest.subarray(outSize, outSize + errSize), streams[1] as RegExpExecArray),
      startedAt: (startedAt as number) * 1000,
      endedAt: (endedAt as number) * 1000,
      stopped: by === '-' ? null : { by, killed: stop[2] === '1' },
    },
  };
}

function linesOf(bytes: Buffer, most: number): { readonly texts: string[]; readonly rest: Buffer } {
  const texts: string[] = [];
  let at = 0;
  while (texts.length < most) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) break;
    texts.push(bytes.subarray(at, end).toString('utf8'));
    at = end + 1;
  }
  return { texts, rest: bytes.subarray(at) };
}

/** Size and digest are unknown when something that the script left running still holds the stream. */
function capturedOf(kept: Buffer, [, bytes = '-', sha256 = '-']: RegExpExecArray): Captured {
  const count = bytes === '-' ? kept.length : Number(bytes);
  const truncated = count > kept.length || bytes === '-';
  return {
    text: truncated ? new StringDecoder('utf8').write(kept) : kept.toString('utf8'),
    bytes: count,
    sha256: sha256 === '-' ? null : sha256,
    truncated,
  };
}
