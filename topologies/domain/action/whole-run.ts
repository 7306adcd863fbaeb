// Action types whose commands carry all that a run knows, not only what their templates name.
//
// Surprise: named here and not by the manifests, because the state machine of runs must not import the action types; a test holds
// this list and `runContext: 'whole'` of the manifests together.
export const wholeRunTypes: ReadonlySet<string> = new Set(['report']);
