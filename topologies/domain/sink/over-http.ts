// Deliveries over HTTP: one request for each body, in turn to the hosts of the destination, and the verdict of the sink type on its answer.
//
// Invariant: a host that is down costs the others nothing: its events go to the next host at once, and it is asked in the
// background, without an event, whether it is back.
import { HttpFailure, type HttpPort, type HttpRequest, type HttpResponse } from '../../ports/http.ts';
import {
  type BatchVerdict,
  type HttpExchange,
  type ReceiverContext,
  SinkConfigError,
  type SinkReceiver,
  type SinkWire,
} from './define-sink.ts';
import { createEndpoints } from './endpoints.ts';

/** A wire that sends by HTTP what `exchange` says. */
export function overHttp<Exchange extends HttpExchange>(exchange: Exchange): Exchange & SinkWire {
  return {
    ...exchange,
    receiver({ http }, context) {
      if (http === undefined) throw new SinkConfigError('this process has no HTTP client');
      return httpReceiver(exchange, http, context);
    },
  };
}

// Failures that may be one host's alone; a refused address or name is the configuration's when there is no other host.
const ofHost: ReadonlySet<string> = new Set(['dns', 'tls', 'connect', 'timeout', 'reset', 'protocol']);

function httpReceiver(exchange: HttpExchange, http: HttpPort, context: ReceiverContext): SinkReceiver {
  const { clock, random, signal, onResent, onEndpoint } = context;
  const origins = exchange.origins ?? [];
  const several = origins.length > 1;
  const endpoints = createEndpoints(Math.max(1, origins.length));
  const at = (index: number, request: HttpRequest): HttpRequest =>
    index === 0 ? request : { ...request, url: `${origins[index]}${request.url.slice(origins[0]!.length)}` };
  const ask = (index: number, request: HttpRequest): Promise<HttpResponse> =>
    http.send({ ...at(index, request), signal });
  const receipts = Array.from({ length: Math.max(1, origins.length) }, (_, index) =>
    exchange.receipts?.((request) => ask(index, request), context),
  );

  function report(index: number, up: boolean): void {
    if (endpoints.report(index, up, clock.now(), random()) && several) onEndpoint?.(origins[index]!, up);
  }

  async function probe(index: number): Promise<boolean> {
    try {
      const isUp = exchange.judgeProbe(await ask(index, exchange.probe()));
      return isUp && (await (receipts[index]?.probe() ?? true));
    } catch {
      return false;
    }
  }

  function askTheLost(): void {
    for (let index = endpoints.due(clock.now()); index !== null; index = endpoints.due(clock.now())) {
      const asked = index;
      void probe(asked).then((isUp) => report(asked, isUp));
    }
  }

  /** The verdict as it is for the destination: what is one host's trouble is a reason to take another. */
  function settle(index: number, verdict: BatchVerdict, isHosts: boolean): BatchVerdict {
    const isTrouble = isHosts && (verdict.class === 'transient' || verdict.class === 'sink-fault');
    if (several) report(index, !isTrouble);
    if (!isTrouble || !several || !endpoints.anyUp()) return verdict;
    return {
      class: 'transient',
      code: verdict.code,
      detail: `${origins[index]}: ${verdict.detail}`,
      afterMs: 0,
      slowDown: false,
      accepted: verdict.class === 'transient' ? verdict.accepted : 0,
      ...(verdict.class === 'transient' && verdict.receipt !== undefined ? { receipt: verdict.receipt } : {}),
    };
  }

  return {
    async send(body, events) {
      const payload = exchange.compress === undefined ? body : await exchange.compress(body);
      if (several) askTheLost();
      const index = endpoints.pick();
      const keeper = receipts[index];
      const attempt = await keeper?.begin();
      if (attempt === null)
        return exchange.judgeFailure(new HttpFailure('aborted', 'the sink stops', { sent: false }));
      const request = exchange.request(payload);
      try {
        const response = await ask(
          index,
          attempt === undefined ? request : { ...request, headers: [...request.headers, ...attempt.headers] },
        );
        const judged = exchange.judge(response, events, clock.now());
        return settle(index, attempt?.answered(response, judged) ?? judged, response.status >= 500);
      } catch (error) {
        if (!(error instanceof HttpFailure)) throw error;
        attempt?.failed(error);
        if (error.sent) onResent(events);
        return settle(index, exchange.judgeFailure(error), ofHost.has(error.failure));
      }
    },
    async probe() {
      const answers = await Promise.all(receipts.map((_, index) => probe(index)));
      if (several) for (const [index, isUp] of answers.entries()) report(index, isUp);
      return answers.includes(true);
    },
    hurry() {
      for (const keeper of receipts) keeper?.hurry();
    },
    close() {
      for (const keeper of receipts) keeper?.close();
    },
  };
}
