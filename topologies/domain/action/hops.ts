// How far a chain of actions may go: an event that an action caused may call for another action, and so on.

/** Actions may lie between the first event and a command, at most so many. */
export const maxHops = 5;
