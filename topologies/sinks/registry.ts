// Every sink type, by the id that SinkConfig.type names. A new sink is one folder and one line here.
import type { Sink } from '../domain/sink/define-sink.ts';
import { elasticsearch } from './elasticsearch/sink.ts';
import { splunkHec } from './splunk-hec/sink.ts';
import { syslog } from './syslog/sink.ts';
import { webhook } from './webhook/sink.ts';

export const sinks = {
  'splunk-hec': splunkHec,
  elasticsearch,
  syslog,
  webhook,
} as const satisfies Record<string, Sink>;

/** The sink type, or undefined when there is none of this name. */
export function findSink(type: string): Sink | undefined {
  return Object.hasOwn(sinks, type) ? sinks[type as keyof typeof sinks] : undefined;
}
