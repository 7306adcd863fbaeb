// An indexer in memory that acknowledges as Splunk does: ids per channel from 0, "true" once, all of it forgotten when it restarts.
// Whoever drives it says when something is indexed, so that every moment can be looked at.
import { HttpFailure, type HttpPort, type HttpRequest, type HttpResponse } from '../ports/http.ts';

const json = (status: number, body: unknown): HttpResponse => ({
  status,
  headers: { server: 'Splunkd' },
  body: Buffer.from(JSON.stringify(body)),
  truncated: false,
});

interface Taken {
  readonly numbers: readonly number[];
  readonly confirm: () => void;
}

export function ackReceiver() {
  const indexed: number[] = [];
  const requests: number[][] = [];
  const polls: number[][] = [];
  const channels = new Set<string>();
  let states = new Map<string, { next: number; readonly stored: Map<number, boolean> }>();
  let taken: Taken[] = [];
  const state = {
    /** Events are answered without an ackId. */
    silent: false,
    probes: 0,
    /** The next so many answers to events, or to questions, get lost. */
    loseAnswers: 0,
    losePolls: 0,
    /** Answers wait for `release`. */
    holdAnswers: false,
    refuse: false,
  };
  let held: (() => void)[] = [];

  function events(request: HttpRequest, channel: string): HttpResponse {
    const numbers = [...String(request.body).matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
    requests.push(numbers);
    channels.add(channel);
    let own = states.get(channel);
    if (own === undefined) {
      own = { next: 0, stored: new Map() };
      states.set(channel, own);
    }
    const id = own.next++;
    const { stored } = own;
    stored.set(id, false);
    taken.push({ numbers, confirm: () => void stored.set(id, true) });
    return json(200, { text: 'Success', code: 0, ...(state.silent ? {} : { ackId: id }) });
  }

  function acks(request: HttpRequest, channel: string): HttpResponse {
    if (state.silent) return json(400, { text: 'ACK is disabled', code: 14 });
    const { acks: ids } = JSON.parse(String(request.body)) as { acks: number[] };
    polls.push(ids);
    const stored = states.get(channel)?.stored;
    return json(200, {
      acks: Object.fromEntries(
        ids.map((id) => {
          const isStored = stored?.get(id) === true;
          if (isStored) stored?.delete(id);
          return [id, isStored];
        }),
      ),
    });
  }

  const http: HttpPort = {
    async send(request) {
      if (state.refuse) throw new HttpFailure('connect', 'refused', { sent: false });
      if (request.method === 'GET') {
        state.probes += 1;
        return json(200, { text: 'HEC is healthy', code: 17 });
      }
      const channel = new Map(request.headers).get('x-splunk-request-channel') ?? '';
      const isPoll = request.url.endsWith('/ack');
      const answer = isPoll ? acks(request, channel) : events(request, channel);
      if (state.holdAnswers && !isPoll) await new Promise<void>((resolve) => held.push(resolve));
      const lost = isPoll ? 'losePolls' : 'loseAnswers';
      if (state[lost] > 0) {
        state[lost] -= 1;
        throw new HttpFailure('reset', 'the answer was lost', { sent: true });
      }
      return answer;
    },
  };

  return {
    http,
    state,
    indexed,
    requests,
    polls,
    channels,
    /** Indexes the oldest `count` requests that were taken. */
    index(count = taken.length) {
      for (const { numbers, confirm } of taken.splice(0, count)) {
        indexed.push(...numbers);
        confirm();
      }
    },
    /** Forgets all ids; what was taken and not indexed is gone. */
    restart() {
      states = new Map();
      taken = [];
    },
    release() {
      const waiting = held;
      held = [];
      for (const resolve of waiting) resolve();
    },
  };
}
