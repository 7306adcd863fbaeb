// The fault runs of playbooks that need the services with their destinations, by number.
import { destinationAway } from './away.ts';
import type { Outcome, Plan, Scenario } from './scenarios.ts';
import type { Services } from './services.ts';
import { workerKilled } from './worker-kills.ts';

export interface ServiceScenario extends Omit<Scenario, 'run'> {
  readonly run: (services: Services, plan: Plan) => Promise<Outcome>;
}

export const serviceScenarios: readonly ServiceScenario[] = [
  { id: '17', title: 'a destination misbehaves in every way and comes back', run: destinationAway },
  { id: '18', title: 'the worker is killed between an effect and its answer', run: workerKilled },
];
