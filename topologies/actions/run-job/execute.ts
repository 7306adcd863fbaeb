// Carries out one run-job command.
import type { JobRequest } from '@tocsin/schemas/types.ts';
import { askAction } from '../../domain/action/ask/ask.ts';
import { isHttp } from '../../domain/action/ask/params.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { topics } from '../../topics.ts';
import { manifest } from './manifest.ts';
import { checkRunJob, type RunJobParams } from './params.ts';
import { jobRequest } from './request.ts';

const runIds = ['/data/run_id', '/run_id', '/data/id', '/id'];

export const runJob = checked({
  manifest,
  check: (params) => checkRunJob(params as unknown as RunJobParams),
  // A job may do anything: a call of which nobody knows whether it arrived waits for a person.
  idempotencyOf: (params) => (isHttp(params) ? 'none' : 'key'),
  ...askAction({
    topic: topics.jobRequests,
    whose: 'the scheduler',
    ask: (command, now) => jobRequest(command, command.params as unknown as RunJobParams, now),
    api: {
      method: () => 'POST',
      path: '/api/jobs/{{request.job}}/runs',
      body: (record) => {
        const { parameters, global_params, time_from, time_to, correlation_id } = record as JobRequest;
        return {
          ...(parameters === undefined ? {} : { parameters: parameters as Json }),
          ...(global_params === undefined ? {} : { global_params: global_params as Json }),
          ...(time_from === undefined ? {} : { time_from }),
          ...(time_to === undefined ? {} : { time_to }),
          correlation_id,
        };
      },
      id: {
        name: 'run_id',
        at: ({ id_at }) => (id_at === undefined ? runIds : [id_at]),
      },
    },
  }),
});
