// What a ticket system is to the engine: requests whose answers are understood, and steps on a ticket that is known. Data and pure
// functions; run.ts sends them.
import type { HttpRequest } from '../../../ports/http.ts';
import type { Failed, Json } from '../outcome.ts';

export interface Ticket {
  /** What people and later steps call it: SEC-42, INC0010001, 7. */
  readonly ref: string;
  /** What the paths of the API take. */
  readonly id: string;
  /** For a browser; null when the system does not say. */
  readonly url: string | null;
  /** Name of its state when it is closed; null while it is open or when that is not known. */
  readonly closed: string | null;
  /** Last lines of its description that an update has to keep. */
  readonly trailer?: string;
}

/** One request and what its answer means. */
export interface Call<T> {
  readonly method: HttpRequest['method'];
  /** Below the prefix of the connection, query included, percent-encoded. */
  readonly path: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: Json;
  /** A second one has a second effect: whoever does not know whether it arrived has to look first. */
  readonly actsAgain?: boolean;
  /** It only asks, although it is no GET. */
  readonly asks?: boolean;
  /** Ticket that the request is about: a 404 says that this one is gone. */
  readonly about?: string;
  /** Statuses that mean success besides, or instead of, 2xx. */
  readonly ok?: readonly number[];
  /** What the parsed body says, undefined for none; null when it is not this system's. */
  read(body: unknown, status: number): T | Failed | null;
}

/** After a request of a step: the next one, or the end with a note for people. */
export type Next = { readonly then: Call<Next> } | { readonly note?: string };

/**
 * Something done to a known ticket. `again`: an earlier attempt may have done it, so what would act twice asks first.
 * Steps that set something are simply repeated.
 */
export type Step = (ticket: Ticket, again: boolean) => Call<Next> | Failed;

/** What a command asks for, rendered and checked. */
export type Plan = CreatePlan | ChangePlan;

export interface CreatePlan {
  readonly operation: 'create';
  readonly create: Call<Ticket>;
  /** The ticket that this command made, in whatever state; null when the system cannot be asked. */
  readonly made: Call<Found> | null;
  /** Where it cannot be asked, make a ticket all the same: whoever runs this has decided so. */
  readonly blind?: boolean;
  /** An open ticket with the same fingerprint; null without `dedupe`. */
  readonly open: Call<Found> | null;
  /** What happens to that one instead of a second ticket. */
  readonly onOpen: readonly Step[];
  readonly warnings: readonly string[];
}

export interface Found {
  readonly ticket: Ticket | null;
}

export interface ChangePlan {
  readonly operation: 'update' | 'transition' | 'comment';
  readonly ref: string;
  /** The ticket as it is now; null when the system is not asked. */
  readonly get: Call<Ticket> | null;
  /** A closed ticket is left alone. */
  readonly failsWhenClosed: boolean;
  readonly steps: readonly Step[];
  readonly warnings: readonly string[];
}

/** What a system says in the body of an error; null: nothing that is worth showing. */
export type Explain = (body: unknown, status: number) => Explained | null;

export interface Explained {
  readonly text: string;
  /** Where the body says more than the status. */
  readonly verdict?: Pick<Failed, 'code' | 'retry'>;
}
