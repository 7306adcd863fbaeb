// One sink document compiled: its type, checked parameters, connection with resolved secrets.
import { compileCheck, formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection, SinkConfig } from '@tocsin/schemas/types.ts';
import type { Sink, SinkHost, SinkWire } from '../domain/sink/define-sink.ts';
import { SinkConfigError } from '../domain/sink/define-sink.ts';
import type { SecretsPort } from '../ports/secrets.ts';
import { findSink } from '../sinks/registry.ts';
import { resolveConnection } from './connections.ts';

export interface CompiledSink {
  readonly type: Sink;
  readonly wire: SinkWire;
}

/** Rejects with SinkConfigError when the documents cannot be used. */
export async function compileSink(
  document: SinkConfig,
  connection: Connection | undefined,
  secrets: SecretsPort,
  host: SinkHost,
): Promise<CompiledSink> {
  const type = findSink(document.type);
  if (type === undefined) throw new SinkConfigError(`unknown sink type ${document.type}`);
  const issues = compileCheck(type.manifest.params)(document.params);
  if (issues.length === 0) issues.push(...type.check(document.params));
  if (issues.length === 0 && document.since !== undefined && Number.isNaN(Date.parse(document.since)))
    throw new SinkConfigError('/since must be a time as in RFC 3339');
  if (issues.length > 0) throw new SinkConfigError(`params: ${formatIssues(issues)}`);
  if (connection === undefined || connection.enabled === false)
    throw new SinkConfigError(
      `connection ${document.connection} ${connection === undefined ? 'does not exist' : 'is disabled'}`,
    );
  const unfit = type.checkConnection?.(document.params, connection) ?? [];
  if (unfit.length > 0) throw new SinkConfigError(`params: ${formatIssues(unfit)}`);
  const resolved = await resolveConnection(connection, secrets);
  if ('status' in resolved) throw new SinkConfigError(resolved.detail);
  return { type, wire: type.open(document.params, resolved, host) };
}
