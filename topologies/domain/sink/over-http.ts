// Deliveries over HTTP: one request for each body, and the verdict of the sink type on its answer.
import { HttpFailure, type HttpPort, type HttpResponse } from '../../ports/http.ts';
import {
  type HttpExchange,
  type ReceiverContext,
  SinkConfigError,
  type SinkReceiver,
  type SinkWire,
} from './define-sink.ts';

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

function httpReceiver(exchange: HttpExchange, http: HttpPort, context: ReceiverContext): SinkReceiver {
  const { clock, signal, onResent } = context;
  return {
    async send(body, events) {
      try {
        const payload = exchange.compress === undefined ? body : await exchange.compress(body);
        const response = await http.send({ ...exchange.request(payload), signal });
        return exchange.judge(response, events, clock.now());
      } catch (error) {
        if (!(error instanceof HttpFailure)) throw error;
        if (error.sent) onResent(events);
        return exchange.judgeFailure(error);
      }
    },
    async probe() {
      let response: HttpResponse;
      try {
        response = await http.send({ ...exchange.probe(), signal });
      } catch {
        return false;
      }
      return exchange.judgeProbe(response);
    },
  };
}
