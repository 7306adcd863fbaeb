// Exports over the wire: the sink of the parameters opened for one command, its frames, one delivery, and what that comes to as an outcome.
//
// Invariant: frames and verdicts are those of the sink; what an HTTP answer means for the command is what it means for every action. A record
// that an earlier attempt has delivered is not sent again.
import type { Command } from '@tocsin/schemas/types.ts';
import type { ActionContext, ResolvedConnection } from '../../domain/action/define-action.ts';
import { failed } from '../../domain/action/fail.ts';
import { judgeHttp, judgeHttpFailure } from '../../domain/action/judge-http.ts';
import type { Failed, FailureCode, Json } from '../../domain/action/outcome.ts';
import { shownItems, shownRequest, shownText } from '../../domain/action/preview.ts';
import { type HttpExchange, SinkConfigError, type SinkWire } from '../../domain/sink/define-sink.ts';
import {
  deliverOnce,
  type Frames,
  framesOf,
  type Refused,
  type Stopped,
} from '../../domain/sink/deliver-once.ts';
import { HttpFailure, type HttpPort, type HttpResponse } from '../../ports/http.ts';
import type { SyslogPort } from '../../ports/syslog.ts';
import { splunkHec } from '../../sinks/splunk-hec/sink.ts';
import { countedText } from '../../sinks/syslog/counted.ts';
import type { SyslogParams } from '../../sinks/syslog/manifest.ts';
import { syslog } from '../../sinks/syslog/sink.ts';
import { syslogDestination } from '../../sinks/syslog/target.ts';
import type { ExportParams } from './params.ts';
import { deliveredOf, progressOf } from './progress.ts';
import { type ExportRecord, originsOf } from './records.ts';

/** A sink with the frames of a command. */
export interface Forwarding extends Frames {
  readonly wire: SinkWire;
  /** Where to, for people. */
  readonly subject: string;
  /** Messages that had to be shortened. */
  readonly cut: number;
  readonly shown: () => { readonly [key: string]: Json };
}

/** How the action is called in headers when the parameters give no host name. */
const ourName = 'tocsin';

/** Opens the sink and frames the records; or why the parameters or the connection do not allow it. */
export function forwarding(
  command: Command,
  records: readonly ExportRecord[],
  params: ExportParams,
  connection: ResolvedConnection | null,
): Forwarding | Failed {
  if (connection === null) return failed('unknown_connection', 'the export has no connection');
  const events = records.map(({ envelope }) => Buffer.from(JSON.stringify(envelope)));
  const origins = originsOf(command, records);
  try {
    if (params.sink === 'splunk-hec') {
      const wire = splunkHec.open({ ...params.splunk }, connection);
      const frames = framesOf(wire, events, origins);
      const { url } = wire.probe();
      return {
        ...frames,
        wire,
        cut: 0,
        subject: `POST ${new URL(url).origin}`,
        shown: () => shownHec(wire, frames),
      };
    }
    let cut = 0;
    const onCut = (): void => {
      cut += 1;
    };
    const wire = syslog.open({ ...withCommandId(params.syslog ?? {}) }, connection, { name: ourName, onCut });
    const frames = framesOf(wire, events, origins);
    const { carrier, host, port, tls, framing } = syslogDestination(connection);
    const subject = `syslog to ${host}:${port}`;
    const shown = () => ({
      host,
      port,
      transport: tls === null ? carrier : `${carrier} over TLS`,
      messages: frames.frames
        .slice(0, shownItems)
        .map(({ bytes }) => shownText(framing === 'lf' ? bytes.toString().trimEnd() : countedText(bytes))),
    });
    return { ...frames, wire, cut, subject, shown };
  } catch (error) {
    if (!(error instanceof SinkConfigError)) throw error;
    if (error.about === 'secret') return failed('secret', error.message, 'pause');
    return error.about === 'params'
      ? failed('invalid_params', error.message)
      : failed('unknown_connection', error.message, 'pause');
  }
}

function shownHec(wire: HttpExchange, { frames }: Frames): { readonly [key: string]: Json } {
  const request = wire.request(Buffer.concat(frames.map(({ bytes }) => bytes)));
  const authorization = request.headers.filter(([name]) => !name.toLowerCase().startsWith('content-'));
  return shownRequest(request, { authorization });
}

/** The parameters with the id of the command among the fields, unless they say themselves what stands there. */
function withCommandId(params: SyslogParams): SyslogParams {
  const { format = 'cef', fields = {} } = params;
  if (format === 'json') return params;
  const from = 'command_id';
  if (format === 'cef') return { ...params, fields: { cs5: { label: from, from }, ...fields } };
  return { ...params, fields: { [format === 'leef' ? 'commandId' : from]: from, ...fields } };
}

export interface Forwarded {
  /** Records that the receiver has, those of earlier attempts included. */
  readonly delivered: number;
  readonly refused: readonly Refused[];
  /** Why the command is to be tried again, or not. */
  readonly failure: Failed | null;
}

/** Delivers once what no earlier attempt has delivered. `count`: of all records. */
export async function forward(
  { wire, subject, ...all }: Forwarding,
  count: number,
  { ports, signal, now, progress, note }: ActionContext,
): Promise<Forwarded> {
  const { http, syslog: transport, clock } = ports;
  if (http === undefined || transport === undefined || clock === undefined)
    throw new TypeError('export needs the http, syslog and clock ports');
  const watched = watch(http, transport);
  const done = deliveredOf(progress, count);
  const earlier = done.size;
  const isLeft = ({ index }: { readonly index: number }): boolean => !done.has(index);
  const frames = { frames: all.frames.filter(isLeft), refused: all.refused.filter(isLeft) };
  const delivery = await deliverOnce(wire, frames, watched, {
    clock,
    signal,
    async onDelivered(indexes) {
      for (const index of indexes) done.add(index, index + 1);
      await note?.(progressOf(done, count));
    },
  });
  const { refused, stopped } = delivery;
  const delivered = earlier + delivery.delivered;
  const answer = watched.last();
  if (stopped === null) {
    // What is refused as a whole has the status of its answer.
    const whole = delivered === 0 && answer !== null && 'status' in answer;
    return { delivered, refused, failure: whole ? failureOf(answer, subject, now) : null };
  }
  if (stopped.code === 'bug') throw new Error(stopped.detail);
  const failure =
    answer === null
      ? syslogFailure(stopped, subject, watched.wrote())
      : httpFailure(answer, stopped, subject, now);
  const repeats = delivery.delivered > 0 && note === undefined;
  return { delivered, refused, failure: repeats ? { ...failure, uncertain: true } : failure };
}

function httpFailure(
  answer: HttpResponse | HttpFailure,
  stopped: Stopped,
  subject: string,
  now: number,
): Failed {
  if (answer instanceof HttpFailure) return judgeHttpFailure(answer, subject);
  const failure = failureOf(answer, subject, now);
  if (failure !== null) return { ...failure, detail: `${failure.detail} (${stopped.detail})`.slice(0, 1024) };
  const retry = stopped.class === 'sink-fault' ? 'never' : 'backoff';
  return { ...failed('bad_response', `${subject}: ${stopped.detail}`, retry), status_code: answer.status };
}

/** What the status of an answer means; null for a success. */
function failureOf(answer: HttpResponse, subject: string, now: number): Failed | null {
  const outcome = judgeHttp(answer, { subject, now });
  return outcome.status === 'failed' ? outcome : null;
}

const codes: Readonly<Record<string, FailureCode>> = {
  denied: 'denied',
  dns: 'dns',
  connect: 'connect',
  tls: 'tls',
  timeout: 'timeout',
  protocol: 'protocol',
  aborted: 'aborted',
};

function syslogFailure({ code, detail }: Stopped, subject: string, wrote: boolean): Failed {
  const retry = code === 'denied' ? 'never' : code === 'tls' ? 'pause' : 'backoff';
  const failure = failed(codes[code] ?? 'reset', `${subject}: ${detail}`, retry);
  return wrote ? { ...failure, uncertain: true } : failure;
}

/** The ports, and what came of them: the last answer over HTTP, and whether a syslog receiver was sent anything over the last connection. */
function watch(http: HttpPort, syslogPort: SyslogPort) {
  let last: HttpResponse | HttpFailure | null = null;
  let wrote = false;
  return {
    last: () => last,
    wrote: () => wrote,
    http: {
      async send(request) {
        try {
          last = await http.send(request);
          return last;
        } catch (error) {
          if (error instanceof HttpFailure) last = error;
          throw error;
        }
      },
    } satisfies HttpPort,
    syslog: {
      async connect(target, onData) {
        // What went over an earlier connection is proved: a delivery ends with the first connection that is lost.
        wrote = false;
        const connection = await syslogPort.connect(target, onData);
        return {
          write(bytes) {
            wrote = true;
            return connection.write(bytes);
          },
          end: () => connection.end(),
          destroy: () => connection.destroy(),
          over: connection.over,
        };
      },
      async datagrams(target) {
        const socket = await syslogPort.datagrams(target);
        return {
          send(bytes) {
            wrote = true;
            return socket.send(bytes);
          },
          close: () => socket.close(),
        };
      },
    } satisfies SyslogPort,
  };
}
