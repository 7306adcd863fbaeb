// Jira's REST over HTTP, with the Jira in memory behind it: issues, search by label, comments, transitions.
//
// Invariant: the effect of a request is there, and can be seen in `requests`, before the request is answered: whoever asked may die
// in between.
import { type FakeJira, fakeJira } from '@tocsin/topologies/actions/jira/fixtures/fake-jira.ts';
import { type Answer, giveAnswer } from './answers.ts';
import { listen, readBody } from './http-server.ts';

export interface JiraRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** As JSON; null without a body. */
  readonly body: unknown;
  /** Status of the answer. */
  readonly status: number;
}

export interface JiraReceiver {
  readonly url: string;
  readonly port: number;
  readonly jira: FakeJira;
  /** In the order of their effects. */
  readonly requests: readonly JiraRequest[];
  close(): Promise<void>;
}

export interface JiraOptions {
  /** How long after its creation a search finds an issue, ms; default 0. */
  readonly lagMs?: number;
  /** From the effect of a request that writes to its answer, ms; default 0. */
  readonly answerDelayMs?: number;
}

/** The paths are those of Data Center, REST v2. Requests without credentials are refused. */
export async function startJiraReceiver({
  lagMs = 0,
  answerDelayMs = 0,
}: JiraOptions = {}): Promise<JiraReceiver> {
  const jira = fakeJira({ now: Date.now, lagMs, root: '/rest/api/2' });
  const requests: JiraRequest[] = [];
  const server = await listen(async (incoming, response) => {
    const body = await readBody(incoming, 1024 * 1024).catch(() => null);
    if (body === null) return incoming.socket.destroy();
    const path = incoming.url ?? '';
    const method = incoming.method as 'GET' | 'POST' | 'PUT';
    const answer =
      incoming.headers.authorization === undefined
        ? { status: 401 }
        : jira.answer({ method, url: `http://jira${path}`, ...(body.length === 0 ? {} : { body }) });
    if (answer instanceof Error) throw answer;
    const given = typeof answer === 'number' ? { status: answer } : answer;
    const parsed: unknown = body.length === 0 ? null : JSON.parse(body.toString('utf8'));
    requests.push({ method, path, body: parsed, status: given.status });
    giveAnswer(
      incoming,
      response,
      method === 'GET' ? asJson(given) : { ...asJson(given), delayMs: answerDelayMs },
    );
  });
  return { ...server, jira, requests };
}

function asJson(answer: { status: number; body?: string }): Exclude<Answer, string | { redirect: string }> {
  const { status, body } = answer;
  return { status, headers: { 'content-type': 'application/json' }, ...(body === undefined ? {} : { body }) };
}
