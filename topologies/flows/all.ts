// The whole system as data, in the order in which a finding travels.
import { actionFlows, connectionChecksFlow } from './actions.ts';
import { collectorFlow } from './collector.ts';
import { configApiFlow } from './config-api.ts';
import { evaluatorFlow } from './evaluator.ts';
import type { Flow } from './flow.ts';
import { correlationsFlow, runsFlow } from './playbooks.ts';
import { deliveryRecorderFlow, letterRecorderFlow, recorderFlow, runRecorderFlow } from './recorder.ts';
import { sinkFlows, sinkRequestsFlow } from './sinks.ts';

export const flows: readonly Flow[] = [
  configApiFlow,
  evaluatorFlow,
  collectorFlow,
  runsFlow,
  correlationsFlow,
  ...actionFlows,
  connectionChecksFlow,
  ...sinkFlows,
  sinkRequestsFlow,
  recorderFlow,
  runRecorderFlow,
  letterRecorderFlow,
  deliveryRecorderFlow,
];
