// A _bulk receiver that only counts, for benchmarks: it says of every document that it was created.
// `node infra/testing/receivers/bulk-null.ts [port]` prints {"port":n,"url":...} and answers GET /stats with the totals.
import { type EventCounter, runNullReceiver } from './null-receiver.ts';

/** Two lines are an event; a body ends with a line feed. */
class LineCounter implements EventCounter {
  #lines = 0;
  #last = 0;

  get count(): number {
    return this.#lines >> 1;
  }

  add(chunk: Buffer): void {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) this.#lines += 1;
    if (chunk.length > 0) this.#last = chunk[chunk.length - 1]!;
  }

  whole(): boolean {
    return this.#last === 10 && this.#lines % 2 === 0;
  }
}

const item = '{"create":{"status":201}}';
const answers = new Map<number, Buffer>();

function answerTo(events: number): Buffer {
  let answer = answers.get(events);
  if (answer === undefined) {
    answer = Buffer.from(
      `{"errors":false,"items":[${Array.from({ length: events }, () => item).join(',')}]}`,
    );
    answers.set(events, answer);
  }
  return answer;
}

await runNullReceiver(
  { counter: () => new LineCounter(), answer: answerTo, health: {}, headers: {} },
  Number(process.argv[2] ?? 0),
);
