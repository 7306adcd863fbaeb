// What the state machine of runs has to know of action types: whose commands carry all that a run knows, not only what their templates
// name, and whose can be broken off once they have been sent.
//
// Surprise: named here and not by the manifests, because the state machine of runs must not import the action types; a test holds
// these lists, `runContext: 'whole'` and `cancellable` of the manifests together.
export const wholeRunTypes: ReadonlySet<string> = new Set(['report']);
export const cancellableTypes: ReadonlySet<string> = new Set(['script']);
