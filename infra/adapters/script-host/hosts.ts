// The port of script hosts: over the agent or over SSH, as the connection says; what scripts wrote comes back without our secrets.

import { keptOutput } from '@tocsin/topologies/domain/script/output.ts';
import type { HttpPort } from '@tocsin/topologies/ports/http.ts';
import type {
  ScriptEnd,
  ScriptHost,
  ScriptHostCheckPort,
  ScriptHostPort,
} from '@tocsin/topologies/ports/script-host.ts';
import { createEgressPolicy, type EgressPolicy } from '../http/egress-policy.ts';
import { type Lookup, lookupSystem } from '../http/resolve.ts';
import { createScrubber } from '../logger/scrub.ts';
import { greetAgent, runOnAgent } from './agent.ts';
import { greetOverSsh, runOverSsh } from './ssh.ts';

export interface ScriptHostSettings {
  readonly http: HttpPort;
  /** Default: mode open with nothing added. Of SSH; HTTP has its own. */
  readonly egress?: EgressPolicy;
  readonly lookup?: Lookup;
  /** See agent.ts and ssh.ts. */
  readonly waitMs?: number;
  readonly awayMs?: number;
  readonly cancelMs?: number;
}

export function createScriptHosts(settings: ScriptHostSettings): ScriptHostPort & ScriptHostCheckPort {
  const { http, waitMs = 20_000, awayMs = 60_000, cancelMs = 25_000 } = settings;
  const egress = settings.egress ?? createEgressPolicy({ mode: 'open' });
  const lookup = settings.lookup ?? lookupSystem;
  return {
    greet: (host, signal) =>
      host.executor === 'agent'
        ? greetAgent(host, signal, http)
        : greetOverSsh(host, signal, { egress, lookup, cancelMs }),
    async run(host, run, signals) {
      const end =
        host.executor === 'agent'
          ? await runOnAgent(host, run, signals, { http, waitMs, awayMs, cancelMs })
          : await runOverSsh(host, run, signals, { egress, lookup, cancelMs });
      return withoutSecrets(end, host);
    },
  };
}

function withoutSecrets(end: ScriptEnd, { secrets }: ScriptHost): ScriptEnd {
  // A key is shown whole or by its lines.
  const values = secrets.flatMap((secret) => [
    secret,
    ...(secret.includes('\n') ? secret.split('\n').filter((line) => line.length >= 16) : []),
  ]);
  const scrubber = createScrubber();
  for (const value of values) scrubber.register(value);
  const kept = (captured: ScriptEnd['stdout']) => keptOutput(captured, scrubber.scrub, values);
  return { ...end, stdout: kept(end.stdout), stderr: kept(end.stderr) };
}
