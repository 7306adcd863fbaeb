// Asks a broker how many brokers it knows; that is what "up" means for a cluster.
import { ask } from './probe.ts';

/**
 * Whether the broker at 127.0.0.1:port serves and knows at least `count` live brokers. Sends a Metadata request v1 without topics
 * (Kafka protocol guide, key 3): its answer starts with length, correlation id and the number of brokers, four bytes each.
 */
export function listsBrokers(port: number, count: number): Promise<boolean> {
  return ask(port, metadataRequest(), (answer) =>
    answer.length < 12 ? undefined : answer.readInt32BE(8) >= count,
  );
}

function metadataRequest(): Buffer {
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + 4);
  let at = request.writeInt32BE(request.length - 4, 0);
  at = request.writeInt16BE(3, at);
  at = request.writeInt16BE(1, at);
  at = request.writeInt32BE(1, at);
  at = request.writeInt16BE(-1, at);
  request.writeInt32BE(0, at);
  return request;
}
