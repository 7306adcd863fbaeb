// The projection of runs in PostgreSQL: whatever part of the changelog comes again, the rows are those of its end.
import type { Playbook, PlaybookStep, RunInput } from '@tocsin/schemas/types.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { type Stage, stage } from '@tocsin/topologies/domain/playbooks/play-kit.ts';
import { rowsOf } from '@tocsin/topologies/domain/playbooks/projection.ts';
import type { RunRows } from '@tocsin/topologies/domain/playbooks/projection-rows.ts';
import type { RunStep } from '@tocsin/topologies/domain/playbooks/run-step.ts';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { migrate, openDatabase } from './migrate.ts';
import { createPool } from './pool.ts';
import { createRunSearch } from './run-search.ts';
import { createRunStore, type RunStore } from './run-store.ts';
import type { Db } from './schema.ts';
import { silentLogger } from './silent-logger.ts';

let db: Db;
let store: RunStore;
beforeAll(async () => {
  const connectionString = await newDatabase();
  db = openDatabase(createPool({ connectionString, applicationName: 'test', logger: silentLogger }));
  await migrate(db);
  store = createRunStore(db);
});
afterAll(() => db.destroy());
beforeEach(() => sql`truncate runs, run_changes, approvals cascade`.execute(db));

const gate: PlaybookStep = {
  id: 'g',
  approve: { title: 'Go?', by: { anyOf: ['role:lead'] }, quorum: { approve: 2 } },
  onReject: 'continue',
};
const again: Partial<Playbook> = {
  trigger: { match_all: true, dedupe: { key: ['finding.title'], window: 'PT1H', onDuplicate: 'restart' } },
};

/** The rows of every step, as the fold numbers them. */
function recording(steps: readonly PlaybookStep[], more: Partial<Playbook> = {}) {
  const run = stage(steps, more);
  const rows: RunRows[] = [];
  let version = 0;
  const record = (step: RunStep): RunStep => {
    version += 1;
    const { state, changes } = step;
    const at = Date.UTC(2026, 0, 1) + version;
    const event = { v: 1, key: 'k', version, offset: version + 100, at, state, changes } as const;
    rows.push(rowsOf(JSON.parse(JSON.stringify(event))));
    return step;
  };
  const tokenOf = (from: Stage) =>
    String(from.events.findLast((one) => one.event === 'approval.requested')?.data['token']);
  return {
    run,
    rows,
    record,
    send: (input: RunInput) => record(run.send(input)),
    vote: (actor: string, verdict: 'approve' | 'reject') =>
      record(
        run.send({
          kind: 'decision',
          token: tokenOf(run),
          decision_id: `${actor}-${verdict}`,
          actor,
          roles: ['lead'],
          verdict,
        }),
      ),
  };
}

/** Everything in the tables. */
async function content() {
  const [runs, changes, approvals] = [
    await sql`select * from runs order by key, number`.execute(db),
    await sql`select * from run_changes order by key, number, version, input_offset, seq`.execute(db),
    await sql`select * from approvals order by id`.execute(db),
  ];
  return { runs: runs.rows, changes: changes.rows, approvals: approvals.rows };
}

it.each([1, 2, 3, 100])('in parts of %i, and again from every place, the rows are the same', async (size) => {
  const { rows, record, run, vote, send } = recording([gate, { id: 'b', action: 'mail' }], again);
  record(run.start());
  vote('lena', 'approve');
  vote('lars', 'approve');
  send({ kind: 'pause', by: 'o' });
  send({ kind: 'resume', by: 'o' });
  const source = { id: 'e2', kind: 'event', topic: 't', partition: 0, offset: 2 } as const;
  record(run.start({ source }));
  vote('lena', 'reject');
  record(run.answer('b'));
  send({ kind: 'cancel', by: 'late' });
  for (let from = 0; from < rows.length; from += size) await store.write(rows.slice(from, from + size));
  const once = await content();
  expect(once.runs).toMatchObject([
    { status: 'cancelled', title: 'X', reason: 'a newer start replaces it', waiting_on: [] },
    { status: 'completed', title: 'X', source_id: 'e2' },
  ]);
  expect(new Set(once.approvals.map((row) => (row as { status: string }).status))).toEqual(
    new Set(['approved', 'rejected']),
  );
  expect(once.changes).toHaveLength(rows.flatMap((one) => one.changes).length);
  for (let from = rows.length - 1; from >= 0; from -= 1) {
    await store.write(rows.slice(from, from + 1));
    expect(await content()).toEqual(once);
    await store.write(rows.slice(from));
    expect(await content()).toEqual(once);
  }
});

it('open gates in the table are those of the state, after every step', async () => {
  const { rows, record, run, vote, send } = recording([
    { id: 'fan', parallel: { branches: [[gate], [{ ...gate, id: 'h' }]] } },
  ]);
  const check = async () => {
    await store.write(rows.splice(0));
    const open = await db.selectFrom('approvals').select('place').where('status', '=', 'open').execute();
    const places = Object.entries(run.state.nodes).flatMap(([place, node]) =>
      node.s === 'open' ? [place] : [],
    );
    expect(open.map((row) => row.place).sort()).toEqual(places.sort());
    return places.length;
  };
  record(run.start());
  expect(await check()).toBe(2);
  vote('lena', 'reject');
  expect(await check()).toBe(1);
  send({ kind: 'cancel', by: 'o' });
  expect(await check()).toBe(0);
});

it.each([1, 3])('a gate that opens again at its place is another one, in parts of %i', async (size) => {
  const timed: PlaybookStep = {
    id: 'g',
    approve: { title: 'Go?', by: { anyOf: ['role:lead'] }, onTimeout: 'fail' },
    deadline: 'PT1H',
    onError: 'incident',
  };
  const { rows, record, run, send } = recording([timed]);
  record(run.start());
  record(run.fire());
  send({ kind: 'retry', by: 'o' });
  for (let from = 0; from < rows.length; from += size) await store.write(rows.slice(from, from + size));
  const gates = () => db.selectFrom('approvals').select(['id', 'status']).orderBy('version').execute();
  const both = await gates();
  expect(both.map((row) => row.status)).toEqual(['failed', 'open']);
  await store.write(rows.slice(1, 2));
  expect(await gates()).toEqual(both);
});

it('text that PostgreSQL cannot hold and times beyond its limits cost nothing else', async () => {
  const { rows, record, run, send } = recording([{ id: 'b', action: 'mail' }]);
  const hostile = { event: 'x', data: { title: 'a\u0000b\ud800', asset: { id: 'a\u0000' } } };
  record(run.start({ event: hostile }));
  send({ kind: 'cancel', by: 'o', reason: '\u0000' });
  const [first] = rows;
  const wrongClock = {
    ...first,
    runs: first?.runs.map((row) => ({ ...row, started_at: 8.64e15 })),
  } as RunRows;
  await store.write([wrongClock, ...rows.slice(1)]);
  expect((await content()).runs).toMatchObject([
    { title: 'a\ufffdb\ufffd', asset_id: 'a\ufffd', status: 'cancelled' },
  ]);
});

it('a decision that came twice counts, whatever the second one became', async () => {
  const { rows, record, run, vote } = recording([gate]);
  record(run.start());
  vote('lena', 'approve');
  vote('lena', 'approve');
  await store.write(rows);
  const search = createRunSearch(db);
  expect(await search.decision('lena-approve')).toEqual({ status: 'counted', reason: null });
  expect(await search.decision('nobody')).toBeNull();
  run.send({ kind: 'cancel', by: 'o' });
  vote('lars', 'approve');
  await store.write(rows.slice(-1));
  expect(await search.decision('lars-approve')).toEqual({
    status: 'ignored',
    reason: 'the run is cancelled',
  });
});
