// Where a syslog connection leads: address, transport and TLS of its document.
import { isIP } from 'node:net';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { SyslogConnection as SyslogDocument } from '@tocsin/schemas/types.ts';
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { SinkConfigError } from '../../domain/sink/define-sink.ts';
import type { SyslogTarget } from '../../ports/syslog.ts';

export interface Destination extends SyslogTarget {
  readonly carrier: 'stream' | 'datagram' | 'relp';
  readonly framing: 'octet-counting' | 'lf';
}

const ports = { tls: 6514, tcp_tls: 6514, tcp: 514, udp: 514, relp: 2514, relp_tls: 2514 } as const;
const secured: ReadonlySet<string> = new Set(['tls', 'tcp_tls', 'relp_tls']);

/** Problems of a syslog connection beyond its schema, as JSON Pointers into it. */
export function checkSyslogConnection(config: SyslogDocument): Issue[] {
  const issues: Issue[] = [];
  const protocol = config.protocol ?? 'tls';
  if (isIP(bare(config.host)) === 0 && !/^[\p{L}\p{M}\p{N}._-]+$/u.test(config.host))
    issues.push({ path: '/host', message: 'must be a host name or an IP address, nothing else' });
  if (config.tls !== undefined && !secured.has(protocol))
    issues.push({ path: '/tls', message: `cannot be set for protocol ${protocol}` });
  if (config.framing === 'lf' && (protocol === 'udp' || protocol.startsWith('relp')))
    issues.push({ path: '/framing', message: `cannot be set for protocol ${protocol}` });
  return issues;
}

/** Throws SinkConfigError when the connection cannot be used. */
export function syslogDestination({ config, secrets }: ResolvedConnection): Destination {
  if (config.type !== 'syslog')
    throw new SinkConfigError(`connection ${config.id} is not a syslog connection`);
  const issue = checkSyslogConnection(config)[0];
  if (issue !== undefined)
    throw new SinkConfigError(`connection ${config.id}: ${issue.path} ${issue.message}`);
  const protocol = config.protocol ?? 'tls';
  const key = secrets.tls_key?.reveal();
  if (config.tls?.cert !== undefined && key === undefined)
    throw new SinkConfigError(`connection ${config.id}: secrets.tls_key is missing`, 'secret');
  return {
    carrier: protocol === 'udp' ? 'datagram' : protocol.startsWith('relp') ? 'relp' : 'stream',
    framing: config.framing ?? 'octet-counting',
    host: bare(config.host),
    port: config.port ?? ports[protocol],
    tls: secured.has(protocol) ? { ...config.tls, ...(key === undefined ? {} : { key }) } : null,
    timeoutMs: config.timeout_ms ?? 30_000,
    allowCidrs: config.allow_cidrs ?? [],
  };
}

function bare(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
