// The Python library of Standard Webhooks as a verifier: an implementation that shares nothing with ours or with the one of npm.
//
// Surprise: of the package only its own files are fetched; it needs nothing but Python's standard library to verify.
import { spawnSync } from 'node:child_process';
import { cachedFolder, must } from './cache.ts';

const requirement = 'standardwebhooks==1.0.0';

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
  if (spawnSync('python3', ['-m', 'pip', '--version']).status !== 0)
    throw new Error('python3 with pip is needed for this test: apt-get install -y python3 python3-pip');
  const folder = await cachedFolder(`python-${requirement.replace('==', '-')}`, (target) =>
    must('python3', [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      '--no-compile',
      '--target',
      target,
      requirement,
    ]),
  );
  const run = spawnSync('python3', ['-c', program], {
    input: JSON.stringify(requests.map((request) => ({ ...request, secret }))),
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (run.status !== 0) throw new Error(`python3 failed: ${run.stderr}`);
  return JSON.parse(run.stdout) as unknown[];
}
