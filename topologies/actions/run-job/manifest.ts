// What the run-job action is: one run of a job of a scheduler.
import { askParams, idAtParam } from '../../domain/action/ask/params.ts';
import type { ActionManifest } from '../../domain/action/define-action.ts';
import { text } from '../../domain/action/ticket/params.ts';
import { topics } from '../../topics.ts';

const tree = (description: string) => ({
  type: ['object', 'string'],
  minLength: 1,
  maxLength: 2048,
  maxProperties: 200,
  description: `${description}: a JSON tree whose texts are templates, or one token that names an object.`,
});

export const manifest: ActionManifest = {
  id: 'run-job',
  title: 'Run job',
  summary: 'Asks a job scheduler to run a job, with parameters and a time range.',
  since: '0.1.0',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['job'],
    properties: {
      job: text(
        'Id of the job, or its name where names are unique; a template. Without a value the command fails.',
        2048,
      ),
      parameters: tree('Parameters of this run'),
      global_params: tree(
        'Global parameters of this run, for example {{search.global_params}} to hand on those of the search',
      ),
      time_from: text(
        'Start of the time range to search, ISO 8601 with or without a zone (UTC); a template.',
        2048,
      ),
      time_to: text('End of the time range to search, not before its start; a template.', 2048),
      ...askParams(
        'job-requests.v1',
        '/api/jobs/{{request.job}}/runs',
        'parameters, global_params, time_from, time_to and correlation_id, as far as they are set',
      ),
      id_at: idAtParam,
    },
  },
  examples: [
    {
      title: 'A search for everything that the address did in the same time range',
      params: {
        job: 'logins-of-address',
        parameters: { address: '{{source.ip}}' },
        global_params: '{{search.global_params}}',
        time_from: '{{search.time_from}}',
        time_to: '{{search.time_to}}',
      },
    },
    {
      title: 'Over the API of a scheduler',
      params: {
        via: 'http',
        job: '42',
        path: '/v2/jobs/{{request.job}}/execute',
        body: { args: '{{request.parameters}}', ref: '{{request.correlation_id}}' },
        parameters: { host: '{{host}}' },
        id_at: '/execution/id',
      },
    },
  ],
  outputs: {
    correlation_id: 'Id of the request, by which the end of the job is recognised.',
    job: 'The job.',
    status_code: 'Status of the answer.',
    run_id: 'Id that the scheduler gave; over HTTP only.',
  },
  failures: ['bad_response', 'invalid_body'],
  needs: ['records', 'http'],
  asks: [topics.jobRequests],
  connection: 'http',
  runOnce: 'first',
  defaultMode: 'each',
  idempotency: 'key',
  ledger: 'durable',
};
