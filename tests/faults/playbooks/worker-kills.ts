// Scenario 18: the action worker is killed when a mail server has the message, or Jira the issue or comment, and before it answers.
//
// Invariant: Jira has one issue and one comment for each run. A mail whose sending is in doubt is sent once more, or held where its
// step says so, and either is told; a kill leaves one mail in doubt at most, because they go one at a time.

import type { RunChange, RunState } from '@tocsin/topologies/domain/playbooks/machine/state.ts';
import type { FoldChange } from '@tocsin/topologies/run/fold/fold.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { until } from '../topic.ts';
import { judge } from './checker.ts';
import { record, stateOf } from './record.ts';
import type { Outcome, Plan } from './scenarios.ts';
import { recordsOf, resultsOf, type Services } from './services.ts';

/** Steps of the playbook, in the order of the kills. */
const struck = ['letter', 'issue', 'notice', 'note'] as const;
type Struck = (typeof struck)[number];

/** `faults` kills, each under a load of its share of the runs. */
export async function workerKilled(world: Services, { seed, runs, faults }: Plan): Promise<Outcome> {
  const prefix = `killed${seed}-`;
  const { actions, mail, jira } = world;
  const keys = Array.from({ length: runs }, (_, n) => `${prefix}${n}`);
  const kills: { readonly step: Struck; readonly commandId: string }[] = [];
  for (let kill = 0; kill < faults; kill += 1) {
    const step = struck[kill % struck.length] as Struck;
    const before = new Set(effects(world, step));
    const share = keys.slice(Math.floor((runs * kill) / faults), Math.floor((runs * (kill + 1)) / faults));
    await Promise.all(share.map((key) => world.start('respond', key)));
    let commandId: string | undefined;
    // Looked at more often than the answer takes.
    await until(
      `a ${step} has its effect`,
      () => {
        commandId = effects(world, step).find((id) => !before.has(id));
        return commandId !== undefined;
      },
      30_000,
      1,
    );
    await actions.kill();
    kills.push({ step, commandId: commandId as string });
    await actions.start();
  }
  const open = await world.settle(keys, 90_000);

  const recording = await record(world, prefix, {
    programs: world.programs,
    started: keys,
    faults,
    repeatBound: 0,
    latenessMs: 20_000,
  });
  const verdict = judge(recording);
  const { ends } = await resultsOf(world, prefix);
  const mailsOf = (step: Struck, key: string): number =>
    mail.mails.filter(({ parsed }) => parsed.subject === `${step} ${key}`).length;
  const twice = keys.reduce((sum, key) => sum + mailsOf('notice', key) - 1, 0);
  const held = [...ends.values()].filter(({ status }) => status === 'held');
  const isHeld = (key: string): boolean => held.some(({ source }) => source['id'] === key);
  const inDoubt = stepsInDoubt(recording.changes);
  const issues = new Map<string, string[]>();
  for (const ref of jira.jira.refs()) {
    const summary = String(jira.jira.issue(ref)?.fields['summary']);
    issues.set(summary, [...(issues.get(summary) ?? []), ref]);
  }
  const letters = await recordsOf(world, topics.deadLetters.name, prefix);
  const problems = [
    ...open.map((key) => `I1 ${key} does not end`),
    ...keys.flatMap((key) => {
      const run = recording.stored.get(key);
      const status = run === undefined ? 'lost' : stateOf(run).status;
      const refs = issues.get(key) ?? [];
      const comments = refs.flatMap((ref) => jira.jira.comments(ref));
      return [
        ...(status === 'completed' ? [] : [`${key} is ${status}`]),
        ...(refs.length === 1 ? [] : [`${key} has issues ${refs.join(', ')}`]),
        ...(comments.length === 1 ? [] : [`${key} has ${comments.length} comments`]),
        // One that is held may not have left.
        ...(mailsOf('letter', key) === 1 || (mailsOf('letter', key) === 0 && isHeld(key))
          ? []
          : [`${key} has ${mailsOf('letter', key)} letters`]),
        ...(mailsOf('notice', key) >= 1 ? [] : [`${key} has no notice`]),
      ];
    }),
    ...(twice + held.length > faults
      ? [`${twice} mails came twice and ${held.length} are held, after ${faults} kills`]
      : []),
    ...kills.flatMap(({ step, commandId }) => {
      const end = ends.get(commandId);
      const told =
        step === 'letter'
          ? end?.status === 'held' && end.code === 'uncertain'
          : end?.status === 'succeeded' && end.possible_duplicate === true;
      return told ? [] : [`the ${step} ${commandId} was in doubt and ends as ${JSON.stringify(end)}`];
    }),
    ...differences(
      'steps that end as uncertain',
      inDoubt,
      held.map(({ source }) => `${source['id']} letter`),
    ),
    ...differences(
      'dead letters',
      // A kill between a letter and its offset repeats it.
      [...new Set(letters.map(({ key, headers }) => `${key} ${headers['x-dlq-reason']}`))],
      held.map(({ source }) => `${source['id']} uncertain`),
    ),
  ];
  const doubted = [...ends.values()].filter(({ possible_duplicate }) => possible_duplicate === true).length;
  return {
    verdict: { ...verdict, problems: [...verdict.problems, ...problems] },
    hit: kills.length === faults,
    note: `kills=${faults} issues=${jira.jira.refs().length} mails held=${held.length} twice=${twice} in doubt=${doubted}`,
  };
}

/** Ids of the commands of a step whose effect is there. */
function effects({ mail, jira }: Services, step: Struck): string[] {
  if (step === 'letter' || step === 'notice')
    return mail.mails
      .filter(({ parsed }) => parsed.subject?.startsWith(`${step} `) === true)
      .flatMap(({ parsed }) => /^<([^@]*)@/.exec(parsed.messageId ?? '')?.[1] ?? []);
  const made = jira.requests.filter(({ method, status }) => method === 'POST' && status === 201);
  if (step === 'note')
    return made.flatMap(({ path, body }) =>
      path.endsWith('/comment')
        ? (body as { properties: { value: { command_id: string } }[] }).properties.map(
            ({ value }) => value.command_id,
          )
        : [],
    );
  return made.flatMap(({ path, body }) =>
    path.endsWith('/issue')
      ? (body as { fields: { labels: string[] } }).fields.labels.flatMap(
          (label) => /^tocsin([0-9a-f]{32})$/.exec(label)?.[1] ?? [],
        )
      : [],
  );
}

/** `<run> <step>` of the steps whose history says that nobody knows what became of them. */
function stepsInDoubt(changes: readonly { readonly text: string }[]): string[] {
  return changes.flatMap(({ text }) => {
    const { key, changes: told } = JSON.parse(text) as FoldChange<RunState> & { changes: RunChange[] };
    return told.flatMap(({ what, step, status, code }) =>
      what === 'step' && status === 'failed' && code === 'uncertain' ? [`${key} ${step}`] : [],
    );
  });
}

function differences(what: string, found: readonly string[], expected: readonly string[]): string[] {
  const [one, other] = [[...found].sort().join(', '), [...expected].sort().join(', ')];
  return one === other ? [] : [`${what}: ${one || 'none'}, and not ${other || 'none'}`];
}
