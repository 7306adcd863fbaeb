// Limits of a destination: its own, or the defaults that the connection document promises.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { emptyConfig } from '../domain/config/config-table.ts';
import { httpConnection, smtpConnection } from '../testing/fixtures.ts';
import { laneSettingsOf } from './connections.ts';

const schema = JSON.parse(
  readFileSync(new URL('../../schemas/documents/connection.json', import.meta.url), 'utf8'),
) as { oneOf: { title: string; properties: { concurrency: { default: number } } }[] };

test.each([
  ['HttpConnection', httpConnection().config],
  ['SmtpConnection', smtpConnection().config],
])('%s has the concurrency that its schema names when it sets none', (title, document) => {
  const table = { ...emptyConfig, connections: new Map([[document.id, { document, revision: 1 }]]) };
  const promised = schema.oneOf.find((each) => each.title === title)?.properties.concurrency.default;
  expect(laneSettingsOf(() => table)(document.id)).toEqual({ concurrency: promised, ratePerSecond: null });
});

test('its own limits win, also over those of the action type', () => {
  const { config: document } = smtpConnection({ concurrency: 2, rate_per_second: 0.5 });
  const table = { ...emptyConfig, connections: new Map([[document.id, { document, revision: 1 }]]) };
  expect(laneSettingsOf(() => table)(document.id)).toEqual({ concurrency: 2, ratePerSecond: 0.5 });
  expect(laneSettingsOf(() => table, { ratePerSecond: 1 })(document.id).ratePerSecond).toBe(0.5);
});

test('an action type has a rate of its own where the connection names none', () => {
  const { config: document } = httpConnection();
  const table = { ...emptyConfig, connections: new Map([[document.id, { document, revision: 1 }]]) };
  expect(laneSettingsOf(() => table, { ratePerSecond: 1 })(document.id)).toEqual({
    concurrency: 8,
    ratePerSecond: 1,
  });
});
