// All connections of the HTTP client: one bound for their sum, idle ones kept per origin, and fair turns where the bound is reached.
//
// Invariant: at most `max` connections exist, opening ones included; an origin that has none gets the next free one, whatever
// others hold or wait for. Who waits keeps their deadline.
//
// Surprise: an origin may have a quarter as many busy connections as are left (the dynamic threshold of Choudhury and Hahne, 1998),
// so that receivers that hang, however many connections they could fill, leave room for those that answer.
import { HttpFailure } from '@tocsin/topologies/ports/http.ts';
import type { Client } from 'undici';

export interface ConnectionLimits {
  /** Connections of all origins together. */
  readonly max: number;
  readonly perOrigin: number;
  /** A connection older than this is replaced, so that a changed DNS answer is noticed. */
  readonly ttlMs: number;
}

/** A place in the queue for a connection. */
export interface Turn {
  /** performance.now() from when on it is not started any more. */
  readonly deadline: number;
  start(connection: Connection): void;
  fail(failure: HttpFailure): void;
}

export interface Connection {
  readonly client: Client;
  /** Gives it back, once; `whole`: the answer came to its end, so that the next request may follow. */
  done(whole: boolean): void;
}

/** A new client for one connection and what breaks off its attempt to connect. */
export interface Opened {
  readonly client: Client;
  readonly cancel: () => void;
}

export interface Origin {
  /** Calls `start`, at once or when it is its turn. */
  enter(turn: Turn): void;
  /** Gives the place up. */
  leave(turn: Turn): void;
  /** Whether it waits for others' connections, not for its own. */
  isHeldUp(): boolean;
}

export interface Connections {
  /** The origin as it was added; one without connections and turns is forgotten. */
  get(key: string): Origin | undefined;
  /** `open` makes one connection to it. */
  add(key: string, open: () => Opened): Origin;
  /** Busy, idle and opening ones. */
  size(): number;
  destroy(): Promise<void>;
}

interface Held extends Opened {
  readonly state: OriginState;
  readonly openedAt: number;
  isBusy: boolean;
  /** Has its socket, or is getting one. */
  isOpen: boolean;
}

interface OriginState extends Origin {
  readonly key: string;
  readonly open: () => Opened;
  readonly idle: Held[];
  readonly turns: Set<Turn>;
  busy: number;
}

/** Origins that already have connections and are offered one more when one is free; those without any come first. */
const offered = 8;

/**
 * While more of them than this share are busy, an origin that has a connection does not take an idle one away from another origin:
 * connections would be closed and opened all the time, which costs more than the requests.
 */
const calm = 1 / 8;

export function createConnections(limits: ConnectionLimits): Connections {
  const origins = new Map<string, OriginState>();
  const all = new Set<Held>();
  // Sets keep insertion order: the first idle one is the least recently used, the first origin has waited longest.
  const idle = new Set<Held>();
  const hungry = new Set<OriginState>();
  const others = new Set<OriginState>();
  let busy = 0;
  let isClosed = false;

  const mayStart = (state: OriginState): boolean =>
    busy < limits.max &&
    state.busy < limits.perOrigin &&
    (state.busy === 0 || (state.busy < (limits.max - busy) / 4 && (state.idle.length > 0 || mayOpenMore())));
  const mayOpenMore = (): boolean => all.size < limits.max || busy < limits.max * calm;

  function end(held: Held): void {
    if (!all.delete(held)) return;
    idle.delete(held);
    const { state } = held;
    const at = state.idle.indexOf(held);
    if (at >= 0) state.idle.splice(at, 1);
    held.cancel();
    void held.client.destroy(ended).catch(() => {});
    forget(state);
  }

  function forget(state: OriginState): void {
    const { key, idle: kept, turns } = state;
    const isGone = state.busy === 0 && kept.length === 0 && turns.size === 0;
    if (isGone && origins.get(key) === state) origins.delete(key);
  }

  /** The connection used last is the one least likely to be closed by the receiver. */
  function idleOf(state: OriginState): Held | undefined {
    for (let held = state.idle.pop(); held !== undefined; held = state.idle.pop()) {
      idle.delete(held);
      if (performance.now() - held.openedAt < limits.ttlMs) return held;
      end(held);
    }
    return undefined;
  }

  function opened(state: OriginState): Held {
    for (const oldest of idle) {
      if (all.size < limits.max) break;
      end(oldest);
    }
    const held: Held = { ...state.open(), state, openedAt: performance.now(), isBusy: true, isOpen: true };
    held.client.on('connect', () => {
      held.isOpen = true;
    });
    // Closed by the receiver, or idle for too long.
    held.client.on('disconnect', () => {
      held.isOpen = false;
      if (!held.isBusy) end(held);
    });
    all.add(held);
    return held;
  }

  function start(state: OriginState, turn: Turn): void {
    state.busy += 1;
    busy += 1;
    const held = idleOf(state) ?? opened(state);
    held.isBusy = true;
    let isOver = false;
    turn.start({
      client: held.client,
      done(whole) {
        if (isOver) return;
        isOver = true;
        state.busy -= 1;
        busy -= 1;
        held.isBusy = false;
        if (whole && held.isOpen && all.has(held)) {
          idle.add(held);
          state.idle.push(held);
        } else end(held);
        serve(state);
        forget(state);
      },
    });
  }

  function startNext(state: OriginState): void {
    const now = performance.now();
    for (const turn of state.turns) {
      state.turns.delete(turn);
      // Its own timer is about to end it.
      if (now >= turn.deadline) continue;
      start(state, turn);
      break;
    }
    requeue(state);
  }

  /** Puts the origin where its turns are looked for. */
  function requeue(state: OriginState): void {
    hungry.delete(state);
    others.delete(state);
    if (state.turns.size > 0) (state.busy === 0 ? hungry : others).add(state);
  }

  /** A connection of `freed` is free. */
  function serve(freed: OriginState): void {
    requeue(freed);
    for (const state of hungry) {
      if (busy >= limits.max) return;
      startNext(state);
    }
    if (freed.turns.size > 0 && mayStart(freed)) startNext(freed);
    if (!mayOpenMore()) return;
    let left = offered;
    for (const state of others) {
      if (left === 0 || busy >= limits.max) return;
      left -= 1;
      requeue(state);
      if (mayStart(state)) startNext(state);
    }
  }

  function createOrigin(key: string, open: () => Opened): OriginState {
    const state: OriginState = {
      key,
      open,
      idle: [],
      turns: new Set(),
      busy: 0,
      enter(turn) {
        if (isClosed) turn.fail(closed());
        else if (state.turns.size === 0 && mayStart(state)) start(state, turn);
        else {
          state.turns.add(turn);
          if (state.turns.size === 1) requeue(state);
        }
      },
      leave(turn) {
        if (!state.turns.delete(turn) || state.turns.size > 0) return;
        requeue(state);
        forget(state);
      },
      isHeldUp: () => state.busy < limits.perOrigin,
    };
    return state;
  }

  return {
    get: (key) => origins.get(key),
    add(key, open) {
      const state = createOrigin(key, open);
      origins.set(key, state);
      return state;
    },
    size: () => all.size,
    async destroy() {
      isClosed = true;
      for (const state of [...hungry, ...others])
        for (const turn of state.turns) {
          state.turns.delete(turn);
          turn.fail(closed());
        }
      const ending = [...all].map(async ({ client, cancel }) => {
        cancel();
        await client.destroy();
      });
      all.clear();
      await Promise.allSettled(ending);
    },
  };
}

// One for all: nobody hears it, and undici would make one with a stack for every connection.
const ended = new HttpFailure('aborted', 'the connection is not needed any more', { sent: false });
const closed = (): HttpFailure => new HttpFailure('aborted', 'the client is closed', { sent: false });
