// The egress policy as the environment sets it, the same for every service that sends.
import { type Environment, list, oneOf } from '../service/settings.ts';
import type { EgressSettings } from './egress-policy.ts';

/**
 * EGRESS_MODE (open, allowlist, airgapped; default open), EGRESS_ALLOW_HOSTS, EGRESS_ALLOW_CIDRS, EGRESS_DENY_CIDRS
 * (comma-separated). Throws SettingError for an unknown mode.
 */
export function egressSettings(env: Environment): EgressSettings {
  return {
    mode: oneOf(env, 'EGRESS_MODE', 'open', ['open', 'allowlist', 'airgapped']),
    allowHosts: list(env, 'EGRESS_ALLOW_HOSTS', []),
    allowCidrs: list(env, 'EGRESS_ALLOW_CIDRS', []),
    denyCidrs: list(env, 'EGRESS_DENY_CIDRS', []),
  };
}
