// Moves an issue: which transition that is depends on where the issue stands, so it is asked first.
//
// Surprise: a repeat finds the transition gone, because the issue is already where it leads; that is success, not failure.
import { failed } from '../../domain/action/fail.ts';
import type { Call, Next, Step } from '../../domain/action/ticket/system.ts';
import { readNothing, readStatus, readTransitions, type Transition } from './answers.ts';
import type { Jira } from './calls.ts';

const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

/** `wanted`: id or name of a transition, or name of the status that it leads to. */
export function moveIssue({ root }: Pick<Jira, 'root'>, wanted: string): Step {
  return ({ id, ref }, again) => {
    const path = `${root}/issue/${id}/transitions`;
    const post = (transition: Transition): Call<Next> => ({
      method: 'POST',
      path,
      body: { transition: { id: transition.id } },
      about: ref,
      // Some transitions lead back to the same status; the next attempt sees where the issue stands.
      actsAgain: true,
      read: readNothing,
    });
    const stands = (offered: readonly Transition[]): Call<Next> => ({
      method: 'GET',
      path: `${root}/issue/${id}?fields=status`,
      about: ref,
      read: (body) => {
        const status = readStatus(body);
        if (status === null) return null;
        if (same(status, wanted)) return { note: `${ref} was already in status ${status}` };
        // A transition has been made or never was there: its name does not tell.
        return failed(again ? 'uncertain' : 'wrong_state', notOffered(ref, status, wanted, offered));
      },
    });
    return {
      method: 'GET',
      path,
      about: ref,
      read: (body) => {
        const offered = readTransitions(body);
        if (offered === null) return null;
        const chosen = choose(offered, wanted);
        return { then: chosen === null ? stands(offered) : post(chosen) };
      },
    };
  };
}

/** By id, else by its name, else by where it leads. */
function choose(offered: readonly Transition[], wanted: string): Transition | null {
  return (
    offered.find(({ id }) => id === wanted) ??
    offered.find(({ name }) => same(name, wanted)) ??
    offered.find(({ to }) => same(to, wanted)) ??
    null
  );
}

function notOffered(ref: string, status: string, wanted: string, offered: readonly Transition[]): string {
  const names = offered.map(({ name }) => name.slice(0, 60)).slice(0, 20);
  return `${ref} is in status ${status.slice(0, 60)} and has no transition ${wanted}; it has ${names.length === 0 ? 'none' : names.join(', ')}`;
}
