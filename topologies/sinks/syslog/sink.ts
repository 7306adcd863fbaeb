// The syslog sink: manifest, messages and the way to the receiver put together.
import { leefDelimiter } from '../../domain/formats/leef.ts';
import {
  type ReceiverContext,
  type Sink,
  SinkConfigError,
  type SinkReceiver,
} from '../../domain/sink/define-sink.ts';
import type { SyslogPort } from '../../ports/syslog.ts';
import { datagramReceiver } from './datagrams.ts';
import { syslogFrame } from './frame.ts';
import { createLane, type OpenSession } from './lane.ts';
import { layoutOf } from './layout.ts';
import { manifest, type SyslogParams } from './manifest.ts';
import { checkFields } from './mapping.ts';
import { relpSession } from './relp.ts';
import { streamSession } from './stream.ts';
import { type Destination, syslogDestination } from './target.ts';

const defaultMessageBytes = { stream: 8192, relp: 8192, datagram: 1400 } as const;
// The largest UDP payload over IPv4.
const mostDatagramBytes = 65_507;

export const syslog: Sink = {
  manifest,
  check(raw) {
    const params = raw as SyslogParams;
    const issues = checkFields(params);
    if (params.delimiter !== undefined && leefDelimiter(params.delimiter) === null)
      issues.push({
        path: '/delimiter',
        message: 'must be one character that attributes do not hold, or its code as x09',
      });
    if (params.format === 'rfc5424' && (params.header ?? 'rfc5424') !== 'rfc5424')
      issues.push({ path: '/header', message: 'must be rfc5424 for format rfc5424' });
    return issues;
  },
  open(raw, connection, host) {
    const params = raw as SyslogParams;
    const destination = syslogDestination(connection);
    const layout = layoutOf(params, host.name);
    const maxMessageBytes = params.max_message_bytes ?? defaultMessageBytes[destination.carrier];
    if (destination.carrier === 'datagram' && maxMessageBytes > mostDatagramBytes)
      throw new SinkConfigError(
        `params: /max_message_bytes must be at most ${mostDatagramBytes} over UDP`,
        'params',
      );
    if (maxMessageBytes < layout.leastBytes)
      throw new SinkConfigError(
        `params: /max_message_bytes must be at least ${layout.leastBytes} here`,
        'params',
      );
    const most = params.max_event_bytes ?? 1_048_576;
    return {
      ...syslogFrame({
        layout,
        maxMessageBytes,
        // JSON cannot be cut and stay JSON.
        maxEventBytes: params.format === 'json' ? Math.min(most, maxMessageBytes - layout.leastBytes) : most,
        framing: destination.framing,
        onCut: host.onCut,
      }),
      receiver({ syslog: port }, context) {
        if (port === undefined) throw new SinkConfigError('this process has no syslog transport');
        return receiverOf(params, destination, port, context);
      },
    };
  },
};

function receiverOf(
  params: SyslogParams,
  destination: Destination,
  port: SyslogPort,
  context: ReceiverContext,
): SinkReceiver {
  if (destination.carrier === 'datagram') return datagramReceiver(port, destination, context);
  const { clock, inFlight } = context;
  const { timeoutMs } = destination;
  const overRelp: OpenSession = (hooks) =>
    relpSession((onData) => port.connect(destination, onData), hooks, { timeoutMs, clock });
  const overStream: OpenSession = async (hooks) =>
    streamSession(await port.connect(destination, () => undefined), hooks, {
      proof: params.proof ?? 'close',
      proofMs: params.proof_ms ?? 10_000,
      windowBytes: params.window_bytes ?? 4_194_304,
      // One half is proved while the other is sent.
      mostCargos: Math.max(1, Math.floor(inFlight / 2)),
      timeoutMs,
      clock,
    });
  return createLane(destination.carrier === 'relp' ? overRelp : overStream, context);
}
