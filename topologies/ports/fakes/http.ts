// HTTP in memory: records every request and answers from a script.
import type { HttpFailure, HttpPort, HttpRequest, HttpResponse } from '../http.ts';

/** An answer: a status, parts of a response, or the failure that `send` rejects with. */
export type FakeAnswer =
  | number
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly truncated?: boolean;
    }
  | HttpFailure;

export interface FakeHttp extends HttpPort {
  readonly requests: readonly HttpRequest[];
  /** The next answers, one per request; afterwards the default again. */
  answer(...answers: readonly FakeAnswer[]): void;
}

/** Answers `defaultAnswer` (or what it returns for a request) when nothing was scripted. */
export function fakeHttp(defaultAnswer: FakeAnswer | ((request: HttpRequest) => FakeAnswer) = 200): FakeHttp {
  const requests: HttpRequest[] = [];
  const script: FakeAnswer[] = [];
  return {
    requests,
    answer(...answers) {
      script.push(...answers);
    },
    async send(request) {
      requests.push(request);
      const answer =
        script.shift() ?? (typeof defaultAnswer === 'function' ? defaultAnswer(request) : defaultAnswer);
      if (answer instanceof Error) throw answer;
      return responseOf(answer);
    },
  };
}

function responseOf(answer: Exclude<FakeAnswer, HttpFailure>): HttpResponse {
  if (typeof answer === 'number')
    return { status: answer, headers: {}, body: Buffer.alloc(0), truncated: false };
  return {
    status: answer.status,
    headers: answer.headers ?? {},
    body: Buffer.from(answer.body ?? ''),
    truncated: answer.truncated ?? false,
  };
}
