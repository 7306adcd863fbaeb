// Settings of the agent: its file, from the command line or the environment; the only place here that reads the environment.
import { type AgentConfig, readAgentConfig } from '@tocsin/adapters/script-agent/config.ts';
import type { ServiceSettings } from '@tocsin/adapters/service/run-service.ts';
import { required, SettingError, serviceSettings } from '@tocsin/adapters/service/settings.ts';

export interface AgentSettings {
  readonly service: ServiceSettings;
  readonly agent: AgentConfig;
}

/** `args`: `--config FILE`; without it AGENT_CONFIG names the file. Throws SettingError or AgentConfigError. */
export function readConfig(args: readonly string[]): AgentSettings {
  const [option, file, ...rest] = args;
  if (option !== undefined && (option !== '--config' || file === undefined || rest.length > 0))
    throw new SettingError('usage: ./tocsin agent --config FILE');
  const path = file ?? required(process.env, 'AGENT_CONFIG', 'the configuration file of the agent');
  return { service: serviceSettings('agent', process.env), agent: readAgentConfig(path) };
}
