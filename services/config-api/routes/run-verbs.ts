// What operators do to a run: each verb is an input by the person, and the state machine has the last word.
import type { AuditEntry } from '@tocsin/adapters/postgres/config-store.ts';
import type { RunInput } from '@tocsin/schemas/types.ts';
import type { FastifyInstance } from 'fastify';
import type { Dependencies } from '../dependencies.ts';
import { ApiError } from '../errors.ts';
import { knownRun } from '../known-run.ts';
import type { RunInputs } from '../run-inputs.ts';

const verbs = {
  pause: {
    summary: 'Pause a run: no step starts, what comes in is kept',
    fields: {
      reason: { type: 'string', maxLength: 4096 },
      extend: { type: 'boolean', description: 'Deadlines move by the time of the pause.' },
    },
  },
  resume: { summary: 'Go on with a paused run', fields: {} },
  cancel: {
    summary: 'Cancel a run',
    fields: {
      reason: { type: 'string', maxLength: 4096 },
      compensate: { type: 'boolean', description: 'What was done is undone, the last first.' },
    },
  },
  retry: {
    summary: 'Try steps that wait for an operator again, under the same command ids',
    fields: {
      step: { type: 'string', minLength: 1, maxLength: 1024, description: 'Id or place; all without it.' },
    },
  },
  skip: {
    summary: 'End a step that has begun as skipped, with an output',
    required: ['step'],
    fields: {
      step: { type: 'string', minLength: 1, maxLength: 1024, description: 'Id or place.' },
      output: { type: 'object' },
    },
  },
} as const;

export function runVerbRoutes(
  app: FastifyInstance,
  dependencies: Pick<Dependencies, 'runs' | 'audit'>,
  inputs: RunInputs,
): void {
  for (const [verb, about] of Object.entries(verbs))
    app.post<{ Params: { key: string }; Body: Record<string, unknown> }>(
      `/api/runs/:key/${verb}`,
      {
        config: { access: 'write:runs' },
        schema: {
          summary: about.summary,
          tags: ['runs'],
          body: {
            type: 'object',
            additionalProperties: false,
            ...('required' in about ? { required: about.required } : {}),
            properties: about.fields,
          },
        },
      },
      async (request, reply) => {
        const { actor, body } = request;
        const run = await knownRun(dependencies, request.params.key);
        if (run.ended_at !== null)
          throw new ApiError(409, 'over', `run ${run.number} of this key is over: ${run.status}`);
        const input = { kind: verb, by: actor.id, ...body } as RunInput;
        const entry: AuditEntry = { verb, object: `run/${run.key}`, detail: { number: run.number, ...body } };
        await inputs.send(actor, entry, [{ key: run.key, input }]);
        return reply.code(202).send({ key: run.key, number: run.number, verb });
      },
    );
}
