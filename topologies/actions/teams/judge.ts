// What the answers of Teams webhooks mean. Workflows answer 202 before anything is posted; the retired connectors answer 200
// with `1`, or 200 with the status of the failure in words.
//
// Sources: github.com/MicrosoftDocs/msteams-docs issues 402, 1810, 7425, 9064 (200 with "Webhook message delivery failed with
// error: Microsoft Teams endpoint returned HTTP error 413 ..."; only a number means success).
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { judgeHttp, notTheirs } from '../../domain/action/judge-http.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import type { HttpResponse } from '../../ports/http.ts';

export interface JudgeOptions {
  /** For people, without secrets. */
  readonly subject: string;
  /** Epoch ms. */
  readonly now: number;
}

export function judgeTeams(response: HttpResponse, options: JudgeOptions): Outcome {
  const judged = judgeHttp(response, options);
  if (judged.status === 'failed') return judged;
  const text = response.body.subarray(0, 4096).toString().trim();
  const inner = /HTTP error (\d{3})\b/.exec(text)?.[1];
  if (inner !== undefined) return innerFailure(Number(inner), response, options);
  // A workflow may answer what its author likes, as JSON; a page for people is somebody else's.
  if (text === '' || /^\d{1,9}$/.test(text) || parseJson(response.body).ok) return judged;
  return notTheirs(response, options.subject, 'Teams');
}

function innerFailure(status: number, response: HttpResponse, { subject, now }: JudgeOptions): Outcome {
  const judged = judgeHttp({ ...response, status }, { subject, now });
  const failure: Failed =
    judged.status === 'failed'
      ? judged
      : { status: 'failed', code: 'bad_response', retry: 'never', detail: '' };
  return {
    ...failure,
    ...(status === 413 ? { code: 'too_large' } : {}),
    detail: `${subject} answered ${response.status}, and that Teams answered it ${status}`,
    status_code: response.status,
  };
}
