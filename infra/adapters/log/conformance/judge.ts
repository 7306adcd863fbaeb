// Runs the conformance cases for one adapter: on the shared broker first, then those that need brokers of their own.
import '@tocsin/testing/provided.ts';
import { describe, inject, it } from 'vitest';
import type { LogClientName } from '../settings.ts';
import { brokerCases } from './broker-cases.ts';
import { brokerSubject } from './broker-subject.ts';
import { cases } from './cases.ts';

export function judgeAdapter(client: LogClientName): void {
  describe(`log on ${client}`, () => {
    const subject = brokerSubject(client, inject('kafka'));
    for (const each of cases) it(`${each.number}: ${each.title}`, () => each.run(subject));
    for (const each of brokerCases)
      it(`${each.number}: ${each.title}`, () => each.run(client, inject('kafka')));
  });
}
