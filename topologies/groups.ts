// Every consumer group once: its id, its service and the lag above which somebody should look.

export interface Group {
  readonly id: string;
  readonly service: string;
  /** Alert when the oldest waiting record is older than this, seconds. */
  readonly maxLagSeconds: number;
}

export const groups = {
  evaluator: { id: 'tocsin.evaluator', service: 'evaluator', maxLagSeconds: 30 },
  collector: { id: 'tocsin.collector', service: 'collector', maxLagSeconds: 30 },
  runs: { id: 'tocsin.runs', service: 'playbooks', maxLagSeconds: 30 },
  correlations: { id: 'tocsin.correlations', service: 'playbooks', maxLagSeconds: 30 },
  recorder: { id: 'tocsin.recorder', service: 'recorder', maxLagSeconds: 300 },
  sinkRequests: { id: 'tocsin.sink-requests', service: 'sinks', maxLagSeconds: 30 },
  connectionChecks: { id: 'tocsin.connection-checks', service: 'actions', maxLagSeconds: 30 },
  deliveryRecorder: { id: 'tocsin.recorder.deliveries', service: 'recorder', maxLagSeconds: 300 },
  runRecorder: { id: 'tocsin.recorder.runs', service: 'recorder', maxLagSeconds: 60 },
  letterRecorder: { id: 'tocsin.recorder.dead-letters', service: 'recorder', maxLagSeconds: 300 },
} as const satisfies Record<string, Group>;

/** The group of one action type; types do not wait for each other. */
export function actionGroup(type: string): Group {
  return { id: `tocsin.action.${type}`, service: 'actions', maxLagSeconds: 120 };
}

/** The group of one configured sink; a dead receiver only grows its own lag. */
export function sinkGroup(sinkId: string): Group {
  return { id: `tocsin.sink.${sinkId}`, service: 'sinks', maxLagSeconds: 300 };
}
