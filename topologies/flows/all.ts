// The whole system as data, in the order in which a finding travels.
import { actionFlows } from './actions.ts';
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
  ...sinkFlows,
  sinkRequestsFlow,
  recorderFlow,
  runRecorderFlow,
  letterRecorderFlow,
  deliveryRecorderFlow,
];
