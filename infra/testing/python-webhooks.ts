// The Python library of Standard Webhooks as a verifier: an implementation that shares nothing with ours or with the one of npm.
import { runInPython } from './python.ts';

export interface SignedRequest {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const program = `
import json, sys
from standardwebhooks import Webhook
answers = []
for each in json.load(sys.stdin):
    try:
        answers.append(Webhook(each["secret"]).verify(each["body"], each["headers"]))
    except Exception as error:
        answers.append(str(error))
json.dump(answers, sys.stdout)
`;

/** What the library says about each request: the event that it verified, or why not. Throws one line that says what is missing. */
export async function verifyInPython(secret: string, requests: readonly SignedRequest[]): Promise<unknown[]> {
  const asked = requests.map((request) => ({ ...request, secret }));
  return (await runInPython('standardwebhooks==1.0.0', program, asked)) as unknown[];
}
