// A Splunk HTTP Event Collector that answers as the real one does, faults included.
// Invariant: `events` holds exactly what an indexer would have taken: on a bad envelope the ones before it are kept when
// `server` is 'splunkd' (real Splunk), and nothing when it is 'emulator' (all or nothing, as the OpenTelemetry receiver).
// Surprise: an unsupported encoding and a body that is too large are answered with HTML, not with a HEC reply.
import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { type Answer, giveAnswer, later } from './answers.ts';
import { createHecAcks, type HecAcks } from './hec-acks.ts';
import { type HecEvent, parseEnvelopes } from './hec-parser.ts';
import { createWaiter, listen, readBody } from './http-server.ts';

export interface HecOptions {
  /** Default 'test-token'. */
  readonly token?: string;
  readonly server?: 'splunkd' | 'emulator';
  readonly indexes?: readonly string[];
  /** limits.conf max_content_length; default 2 MiB. */
  readonly maxContentLength?: number;
  readonly maxEventBytes?: number;
  /** The token has useACK: what is taken is indexed, and acknowledged, so much later. Without it no acknowledgement. */
  readonly ackAfterMs?: number;
  /** What taken events are answered with instead of 0: 24 and 25 are successes that ask for less. */
  readonly successCode?: 0 | 24 | 25;
  readonly port?: number;
  readonly tls?: { cert: string; key: string };
  /** Called with what was indexed, before the request is answered. */
  readonly onIndexed?: (events: readonly HecEvent[]) => void;
}

/**
 * One scripted fault. `busyAfter` takes that many envelopes of the request and answers 503/9 with that number; `lost` takes the
 * whole request and breaks the connection instead of answering, `taken` gives an answer of another kind then, `lateMs` the right one so
 * much later; `lostAck` breaks the next answer to a question for acknowledgements; `hec` is a HEC reply without looking at the body.
 */
export type HecFault =
  | Answer
  | { readonly busyAfter: number }
  | { readonly lost: true }
  | { readonly taken: Answer }
  | { readonly lateMs: number }
  | { readonly lostAck: true }
  | { readonly hec: { readonly status: number; readonly code: number; readonly text: string } };

export interface HecRequest {
  readonly at: number;
  readonly bytes: number;
  readonly status: number;
  readonly channel: string | null;
  /** Path with its query. */
  readonly url: string;
}

export interface HecReceiver {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  /** Indexed events in the order of arrival. */
  readonly events: readonly HecEvent[];
  readonly requests: readonly HecRequest[];
  /** Faults for the next requests, one each. */
  script(...faults: readonly HecFault[]): void;
  /** A fault for every request until it is set to null; the health endpoint is `down` meanwhile unless it is said to be `up`. */
  failWith(fault: HecFault | null, health?: 'up' | 'down'): void;
  /** 403/1 for every request, as when an administrator disables the token. */
  disableToken(disabled: boolean): void;
  /** Where acknowledgements come from; null without useACK. */
  readonly acks: HecAcks | null;
  /** Questions for acknowledgements. */
  readonly polls: readonly { readonly channel: string; readonly ids: readonly unknown[] }[];
  waitFor(count: number, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

const EVENT_PATHS = new Set([
  '/services/collector',
  '/services/collector/event',
  '/services/collector/event/1.0',
]);
const RAW_PATHS = new Set(['/services/collector/raw', '/services/collector/raw/1.0']);
const ACK_PATHS = new Set(['/services/collector/ack', '/services/collector/ack/1.0']);
const HEALTH_PATHS = new Set(['/services/collector/health', '/services/collector/health/1.0']);

export async function startHecReceiver(options: HecOptions = {}): Promise<HecReceiver> {
  const token = options.token ?? 'test-token';
  const splunkd = (options.server ?? 'splunkd') === 'splunkd';
  const limit = options.maxContentLength ?? 2 * 1024 * 1024;
  const rules = {
    maxEventBytes: options.maxEventBytes ?? 5 * 1024 * 1024,
    ...(options.indexes === undefined ? {} : { indexes: options.indexes }),
  };
  const events: HecEvent[] = [];
  const requests: HecRequest[] = [];
  const scripted: HecFault[] = [];
  const waiter = createWaiter();
  let always: HecFault | null = null;
  let isDown = false;
  let disabled = false;
  let ackLost = false;
  const polls: { channel: string; ids: readonly unknown[] }[] = [];
  const index = (indexed: readonly HecEvent[]): void => {
    for (const event of indexed) events.push(event);
    options.onIndexed?.(indexed);
  };
  const acks =
    options.ackAfterMs === undefined
      ? null
      : createHecAcks(options.ackAfterMs, (indexed) => {
          index(indexed);
          waiter.changed();
        });
  const successCode = options.successCode ?? 0;

  const reply = (status: number, code: number, text: string, number?: number, ackId?: number): Answer => ({
    status,
    headers: { 'content-type': 'application/json; charset=UTF-8', ...(splunkd ? { server: 'Splunkd' } : {}) },
    body: JSON.stringify({
      text,
      code,
      ...(number === undefined ? {} : { 'invalid-event-number': number }),
      ...(ackId === undefined ? {} : { ackId }),
    }),
  });
  const page = (status: number, title: string): Answer => ({
    status,
    headers: { 'content-type': 'text/html; charset=UTF-8', ...(splunkd ? { server: 'Splunkd' } : {}) },
    body: `<!doctype html><html><head><title>${status} ${title}</title></head><body><h1>${title}</h1></body></html>`,
  });

  const authorise = (request: IncomingMessage): Answer | null => {
    const header = request.headers.authorization;
    if (header === undefined) return reply(401, 2, 'Token is required');
    const given = tokenOf(header);
    if (given === null) return reply(401, 3, 'Invalid authorization');
    if (given !== token) return reply(403, 4, 'Invalid token');
    return disabled ? reply(403, 1, 'Token disabled') : null;
  };

  /** Indexes at once, or takes for later and gives an id. */
  const take = (taken: readonly HecEvent[], channel: string | null): number | undefined => {
    if (acks !== null && channel !== null) return taken.length === 0 ? undefined : acks.take(channel, taken);
    index(taken);
    return undefined;
  };

  const accept = (body: Buffer, channel: string | null, upTo = Number.POSITIVE_INFINITY): Answer => {
    if (body.length === 0) return reply(400, 5, 'No data');
    if (acks !== null && channel === null) return reply(400, 10, 'Data channel is missing');
    const parsed = parseEnvelopes(body, rules);
    if (parsed.problem !== null && parsed.problem.number < upTo) {
      const id = splunkd ? take(parsed.events, channel) : undefined;
      const { code, text, number } = parsed.problem;
      return reply(400, code, text, splunkd || code === 15 ? number : undefined, id);
    }
    if (parsed.events.length === 0) return reply(400, 5, 'No data');
    const id = take(parsed.events.slice(0, upTo), channel);
    if (upTo < parsed.events.length) return reply(503, 9, 'Server is busy', upTo, id);
    return reply(200, successCode, successCode === 0 ? 'Success' : 'approaching capacity', undefined, id);
  };

  // One event per line, with the metadata of the query.
  const acceptRaw = (body: Buffer, channel: string | null, query: URLSearchParams): Answer => {
    const given = channel ?? query.get('channel');
    if (given === null) return reply(400, 10, 'Data channel is missing');
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(given))
      return reply(400, 11, 'Invalid data channel');
    const index = query.get('index');
    if (index !== null && rules.indexes?.includes(index) === false) return reply(400, 7, 'Incorrect index');
    const metadata: Record<string, string> = {};
    for (const key of ['index', 'source', 'sourcetype', 'host']) {
      const value = query.get(key);
      if (value !== null) metadata[key] = value;
    }
    const lines = body
      .toString('utf8')
      .split(/[\r\n]+/)
      .filter((line) => line !== '');
    if (lines.length === 0) return reply(400, 5, 'No data');
    const id = take(
      lines.map((event) => ({ event, ...metadata })),
      given,
    );
    return reply(200, successCode, 'Success', undefined, id);
  };

  const answerAck = (request: IncomingMessage, body: Buffer | null): Answer => {
    const refused = authorise(request);
    if (refused !== null) return refused;
    if (acks === null) return reply(400, 14, 'ACK is disabled');
    const channel = channelOf(request);
    if (channel === null) return reply(400, 10, 'Data channel is missing');
    let ids: unknown;
    try {
      ids = (JSON.parse(String(body)) as { acks: unknown }).acks;
    } catch {}
    if (!Array.isArray(ids)) return reply(400, 6, 'Invalid data format');
    polls.push({ channel, ids });
    const answer = acks.ask(channel, ids);
    if (ackLost) {
      ackLost = false;
      return 'reset';
    }
    return {
      status: 200,
      headers: { 'content-type': 'application/json', server: 'Splunkd' },
      body: JSON.stringify(answer),
    };
  };

  const judge = async (
    request: IncomingMessage,
    body: Buffer | null,
    fault: HecFault | null,
  ): Promise<Answer> => {
    if (fault !== null && (typeof fault === 'string' || 'redirect' in fault || 'status' in fault))
      return fault;
    if (fault !== null && 'hec' in fault) return reply(fault.hec.status, fault.hec.code, fault.hec.text);
    if (body === null) return page(413, 'Content-Length of request is too large');
    const refused = authorise(request);
    if (refused !== null) return refused;
    const plain = decoded(request.headers['content-encoding'], body);
    if (plain === 'unsupported') return page(415, 'Unsupported Media Type');
    if (plain === 'broken') return reply(400, 6, 'Invalid data format', 0);
    const channel = channelOf(request);
    const [path = '', query = ''] = (request.url ?? '').split('?');
    if (fault !== null && 'busyAfter' in fault) return accept(plain, channel, fault.busyAfter);
    const answer = RAW_PATHS.has(path)
      ? acceptRaw(plain, channel, new URLSearchParams(query))
      : accept(plain, channel);
    if (fault !== null && 'lost' in fault) return 'reset';
    if (fault !== null && 'taken' in fault) return fault.taken;
    return fault !== null && 'lateMs' in fault ? later(answer, fault.lateMs) : answer;
  };

  const server = await listen(
    async (request, response) => {
      const path = (request.url ?? '').split('?')[0] ?? '';
      if (request.method === 'GET' && HEALTH_PATHS.has(path)) {
        giveAnswer(
          request,
          response,
          isDown ? reply(503, 18, 'HEC is unhealthy, queues are full') : reply(200, 17, 'HEC is healthy'),
        );
        return;
      }
      const body = await readBody(request, limit).catch(() => undefined);
      if (body === undefined) return;
      if (ACK_PATHS.has(path)) {
        if (always === 'reset' || always === 'hang') giveAnswer(request, response, always);
        else giveAnswer(request, response, answerAck(request, body));
        return;
      }
      if ((!EVENT_PATHS.has(path) && !RAW_PATHS.has(path)) || request.method !== 'POST') {
        giveAnswer(request, response, reply(404, 404, 'The requested URL was not found on this server.'));
        return;
      }
      const answer = await judge(request, body, scripted.shift() ?? always);
      requests.push({
        at: Date.now(),
        bytes: body?.length ?? limit,
        status: typeof answer === 'string' ? 0 : (answer.status ?? 302),
        channel: channelOf(request),
        url: request.url ?? '',
      });
      waiter.changed();
      giveAnswer(request, response, answer);
    },
    {
      ...(options.port === undefined ? {} : { port: options.port }),
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    },
  );

  return {
    ...server,
    token,
    events,
    requests,
    acks,
    polls,
    async close() {
      acks?.close();
      await server.close();
    },
    script: (...faults) => {
      for (const fault of faults)
        if (typeof fault === 'object' && 'lostAck' in fault) ackLost = true;
        else scripted.push(fault);
    },
    failWith(fault, health = 'down') {
      always = fault;
      isDown = fault !== null && health === 'down';
    },
    disableToken(value) {
      disabled = value;
    },
    waitFor: (count, timeoutMs = 10_000) =>
      waiter.until(
        () => events.length >= count,
        timeoutMs,
        () => `${events.length} of ${count} events`,
      ),
  };
}

function channelOf(request: IncomingMessage): string | null {
  const channel = request.headers['x-splunk-request-channel'];
  return typeof channel === 'string' ? channel : null;
}

// `Splunk <token>`, or Basic with the token as password; Bearer is refused.
function tokenOf(header: string): string | null {
  const splunk = /^Splunk (\S+)$/i.exec(header)?.[1];
  if (splunk !== undefined) return splunk;
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header)?.[1];
  if (basic === undefined) return null;
  const pair = Buffer.from(basic, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}

function decoded(encoding: string | undefined, body: Buffer): Buffer | 'unsupported' | 'broken' {
  if (encoding === undefined || encoding === 'identity') return body;
  if (encoding !== 'gzip') return 'unsupported';
  try {
    return gunzipSync(body, { maxOutputLength: 1024 * 1024 * 1024 });
  } catch {
    return 'broken';
  }
}
