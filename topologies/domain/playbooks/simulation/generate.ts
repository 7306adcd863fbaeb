// Random playbooks that pass all checks, with every kind of step.
import type { OnError, Playbook, PlaybookStep } from '@tocsin/schemas/types.ts';
import type { Random } from './random.ts';

const durations = ['PT1S', 'PT30S', 'PT5M', 'PT1H', 'P1D'];

/** `child`: id of the playbook that steps may run; null: none. */
export function generatePlaybook(random: Random, id: string, child: string | null): Playbook {
  let count = 0;

  function list(depth: number, siblings: string[]): PlaybookStep[] {
    const steps: PlaybookStep[] = [];
    const own = [...siblings];
    const length = 1 + random.below(depth === 0 ? 5 : 3);
    for (let at = 0; at < length; at++) {
      const step = one(depth, own);
      steps.push(step);
      own.push(step.id);
    }
    return steps;
  }

  function onError(depth: number): OnError | undefined {
    if (random.chance(40)) return undefined;
    const policy = random.below(5);
    if (policy === 0) return 'incident';
    if (policy === 1 && depth < 3) return { run: list(3, []) };
    return policy === 2 ? 'fail' : 'continue';
  }

  function condition(before: readonly string[]): Record<string, unknown> {
    const kind = random.below(4);
    if (kind === 0 && before.length > 0) return { [`steps.${random.pick(before)}.outputs.n`]: { gte: 5 } };
    if (kind === 1) return { 'vars.flag': true };
    if (kind === 2) return { 'finding.severity': 'critical' };
    return { 'finding.missing': 1 };
  }

  function one(depth: number, before: readonly string[]): PlaybookStep {
    count += 1;
    const common: PlaybookStep = { id: `s${count}` };
    if (random.chance(25)) common.delay = random.pick(durations);
    if (random.chance(15))
      Object.assign(common, { when: condition(before), onUnknown: random.pick(['run', 'skip', 'fail']) });
    const policy = onError(depth);
    if (policy !== undefined) common.onError = policy;
    // A goto forward is among the siblings that are still to come, so only going back is made here.
    if (before.length > 0 && depth === 0 && random.chance(10))
      common.onError = { goto: random.pick(before), max: 1 + random.below(3) };
    const step = { ...common, ...body(depth, before, common) };
    const runsLists = step.if ?? step.switch ?? step.parallel ?? step.forEach ?? step.while;
    return step.onError === 'incident' && runsLists !== undefined ? { ...step, onError: 'continue' } : step;
  }

  function body(depth: number, before: readonly string[], common: PlaybookStep): Partial<PlaybookStep> {
    const nested = depth < 2 && count < 60;
    const kind = random.below(nested ? 14 : 7);
    if (common.when !== undefined && (kind === 7 || kind === 12)) return action(common.id);
    switch (kind) {
      case 4:
        return { set: { flag: random.chance(50), at: common.id } };
      case 5:
        return {
          approve: {
            title: 'Go on with {{finding.title}}?',
            by: { anyOf: ['role:lead', 'user:alice'] },
            quorum: { approve: 1 + random.below(2), reject: 1 },
            ...(random.chance(50) ? { delegate: { to: ['user:dave'] } } : {}),
            ...(random.chance(50) ? { remind: ['PT30S', 'PT5M'] } : {}),
            ...(random.chance(50) ? { escalate: { after: 'PT1H', add: ['user:carol'] } } : {}),
          },
          deadline: random.pick(['PT5M', 'P1D']),
          ...(random.chance(50) ? { onReject: 'continue' as const } : {}),
        };
      case 6:
        return {
          waitFor: {
            event: 'scan.completed',
            correlate: `c${random.below(2)}`,
            ...(random.chance(50) ? { at: 'data.scan_id' } : {}),
          },
          deadline: random.pick(durations),
          outputs: { n: { $: 'result.data.n' } },
        };
      case 7:
        return {
          if: condition(before),
          onUnknown: random.pick(['then', 'else', 'fail']),
          then: list(depth + 1, []),
          ...(random.chance(50) ? { else: list(depth + 1, []) } : {}),
        };
      case 8:
        return {
          switch: {
            cases: [{ when: condition(before), do: list(depth + 1, []) }],
            default: list(depth + 1, []),
          },
        };
      case 9:
        return {
          parallel: {
            branches: [list(depth + 1, []), list(depth + 1, []), list(depth + 1, [])],
            ...(random.chance(50) ? { concurrency: 1 + random.below(2) } : {}),
          },
        };
      case 10:
      case 11:
        return {
          forEach: {
            items: { $: 'finding.hosts' },
            max: 10,
            concurrency: 1 + random.below(3),
            onItemError: random.pick(['fail', 'continue']),
            do: list(depth + 1, []),
          },
        };
      case 12:
        return { while: { when: condition(before), max: 1 + random.below(3), do: list(depth + 1, []) } };
      case 13:
        return child === null ? action(common.id) : { playbook: { id: child, params: { from: common.id } } };
      default:
        return action(common.id);
    }
  }

  function action(id: string): Partial<PlaybookStep> {
    return {
      action: { type: 'webhook', params: { step: id, text: '{{finding.title}}' } },
      ...(random.chance(30)
        ? { retry: { attempts: 2 + random.below(2), backoff: 'exponential' as const, base: 'PT10S' } }
        : {}),
      ...(random.chance(30) ? { deadline: random.pick(durations) } : {}),
      ...(random.chance(25)
        ? {
            compensate: {
              id: `${id}-undo`,
              action: { type: 'webhook', params: { undo: id } },
              deadline: 'PT1H',
            },
          }
        : {}),
    };
  }

  const steps = list(0, []);
  return { kind: 'playbook', id, vars: { flag: random.chance(50) }, steps };
}
