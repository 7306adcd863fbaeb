// The states of folds in Redis. All keys of one partition share a hash slot, so that one script moves states and offset together,
// on Redis Cluster too.
//
// Invariant: a script checks everything before its first write, because an error in a script does not undo earlier writes.
// Surprise: `claim` has no generation to compare: who claims last owns. A member that was late and claims after the true owner
// loses its assignment soon, and the true owner, fenced, claims again.
import type {
  Advanced,
  FoldAdvance,
  FoldPlace,
  FoldStore,
  RestoredState,
  StateWrite,
  StoredState,
} from '@tocsin/topologies/ports/fold-store.ts';
import type { Redis } from '../redis/connect.ts';

/** Replay may ask for a state a little after `keepUntil` by the clock of the records. */
const graceMs = 86_400_000;
/** Most bytes of bodies in one script call, so that Redis stays available to others. */
const maxScriptBytes = 512 * 1024;

// KEYS owner offset; ARGV token now
const CLAIM = `
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'since', ARGV[2])
return redis.call('GET', KEYS[2])`;

// KEYS owner offset state...; ARGV token from. Answers version and body of each state; nil ends a list in Lua, false does not.
const LOAD = `
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'fenced'} end
local offset = redis.call('GET', KEYS[2]) or ''
if offset ~= ARGV[2] then return {'offset', offset} end
local answer = {'ok'}
for i = 3, #KEYS do
  local held = redis.call('HMGET', KEYS[i], 'v', 'b')
  answer[#answer + 1] = held[1]
  answer[#answer + 1] = held[2]
end
return answer`;

// Beside the states: a sorted set of keys by the time of the input that they expect, and a hash that counts them. A state remembers
// what it is counted as, so that both stay right whatever is written.
const MARK = `
local function mark(state, expected, tallies, key, due, tally)
  if due == '' then redis.call('ZREM', expected, key) else redis.call('ZADD', expected, due, key) end
  local old = redis.call('HGET', state, 't') or ''
  if old == tally then return end
  if old ~= '' and redis.call('HINCRBY', tallies, old, -1) <= 0 then redis.call('HDEL', tallies, old) end
  if tally ~= '' then redis.call('HINCRBY', tallies, tally, 1) end
end
`;

// KEYS owner offset expected tallies state...; ARGV token from to now, then for each state: key, expected version, version, body,
// expiry, time of the expected input, tally ('' for none). An empty body removes the state.
const ADVANCE = `${MARK}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'fenced'} end
local offset = redis.call('GET', KEYS[2]) or ''
if offset ~= ARGV[2] then return {'offset', offset} end
for i = 5, #KEYS do
  local version = redis.call('HGET', KEYS[i], 'v') or '0'
  if version ~= ARGV[6 + (i - 5) * 7] then return {'version', i - 4} end
end
for i = 5, #KEYS do
  local at = 5 + (i - 5) * 7
  mark(KEYS[i], KEYS[3], KEYS[4], ARGV[at], ARGV[at + 5], ARGV[at + 6])
  if ARGV[at + 3] == '' then
    redis.call('DEL', KEYS[i])
  else
    redis.call('HSET', KEYS[i], 'v', ARGV[at + 2], 'b', ARGV[at + 3], 't', ARGV[at + 6])
    if ARGV[at + 4] == '' then redis.call('PERSIST', KEYS[i]) else redis.call('PEXPIREAT', KEYS[i], ARGV[at + 4]) end
  end
end
redis.call('SET', KEYS[2], ARGV[3])
return {'ok'}`;

// KEYS owner expected tallies state...; ARGV token, then for each state: key, version, body, expiry, time of the expected input, tally
const RESTORE = `${MARK}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 'fenced' end
for i = 4, #KEYS do
  local at = 2 + (i - 4) * 6
  mark(KEYS[i], KEYS[2], KEYS[3], ARGV[at], ARGV[at + 4], ARGV[at + 5])
  redis.call('HSET', KEYS[i], 'v', ARGV[at + 1], 'b', ARGV[at + 2], 't', ARGV[at + 5])
  if ARGV[at + 3] ~= '' then redis.call('PEXPIREAT', KEYS[i], ARGV[at + 3]) end
end
return 'ok'`;

// KEYS owner offset state...; ARGV token
const CLEAR = `
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 'fenced' end
for i = 2, #KEYS do redis.call('DEL', KEYS[i]) end
return 'ok'`;

/** Rejects when Redis does not answer in time; then the step may have been applied, and the next `advance` or `claim` says. */
export function createRedisFoldStore(redis: Redis, prefix = 'tocsin:fold:'): FoldStore {
  const base = ({ fold, partition }: FoldPlace): string => `${prefix}{${fold}-${partition}}:`;
  const ownerKey = (place: FoldPlace): string => `${base(place)}owner`;
  const offsetKey = (place: FoldPlace): string => `${base(place)}offset`;
  const expectedKey = (place: FoldPlace): string => `${base(place)}expected`;
  const talliesKey = (place: FoldPlace): string => `${base(place)}tallies`;
  const stateKey = (place: FoldPlace, key: string): string => `${base(place)}s:${key}`;

  return {
    async claim(place, token, now) {
      const offset = await redis.eval(CLAIM, 2, ownerKey(place), offsetKey(place), token, String(now));
      return { offset: offsetOf(offset as string | null) };
    },
    async load(place, token, from, keys) {
      const all = [ownerKey(place), offsetKey(place), ...keys.map((key) => stateKey(place, key))];
      const answer = (await redis.eval(
        LOAD,
        all.length,
        ...all,
        token,
        from === null ? '' : String(from),
      )) as [string, ...(string | null)[]];
      const [status, ...rest] = answer;
      if (status === 'fenced') return { status };
      if (status === 'offset') return { status, offset: offsetOf(rest[0]) };
      return { status: 'ok', states: keys.map((_, k) => storedState(rest[2 * k], rest[2 * k + 1])) };
    },
    async advance(place, token, step) {
      const keys = [
        ownerKey(place),
        offsetKey(place),
        expectedKey(place),
        talliesKey(place),
        ...step.writes.map(({ key }) => stateKey(place, key)),
      ];
      const answer = (await redis.eval(ADVANCE, keys.length, ...keys, token, ...advanceArguments(step))) as [
        string,
        (string | number)?,
      ];
      return advanced(answer, step.writes);
    },
    async restore(place, token, states) {
      for (const slice of bySize(states)) {
        const keys = [
          ownerKey(place),
          expectedKey(place),
          talliesKey(place),
          ...slice.map(({ key }) => stateKey(place, key)),
        ];
        const values = slice.flatMap((restored) => [
          restored.key,
          String(restored.state.version),
          restored.state.body,
          ...marks(restored),
        ]);
        if ((await redis.eval(RESTORE, keys.length, ...keys, token, ...values)) !== 'ok') return 'fenced';
      }
      return 'ok';
    },
    async clear(place, token) {
      // Key by key from a scan: the states of a place are too many for one call. The offset goes first.
      const head = [ownerKey(place), offsetKey(place), expectedKey(place), talliesKey(place)];
      if ((await redis.eval(CLEAR, head.length, ...head, token)) !== 'ok') return 'fenced';
      const pattern = `${base(place).replace(/[*?[\]\\]/g, '\\$&')}s:*`;
      for (let cursor = '0'; ; ) {
        const [next, found] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000);
        if (found.length > 0) {
          const keys = [ownerKey(place), ...found];
          if ((await redis.eval(CLEAR, keys.length, ...keys, token)) !== 'ok') return 'fenced';
        }
        if (next === '0') return 'ok';
        cursor = next;
      }
    },
    async overdue(place, moment, limit) {
      const key = expectedKey(place);
      const [count, first] = await Promise.all([
        redis.zcount(key, '-inf', `(${moment}`),
        redis.zrangebyscore(key, '-inf', `(${moment}`, 'WITHSCORES', 'LIMIT', 0, limit),
      ]);
      return {
        count,
        first: first.flatMap((member, n) =>
          n % 2 === 0 ? [{ key: member, expectBy: Number(first[n + 1]) }] : [],
        ),
      };
    },
    async tallies(place) {
      const counts = await redis.hgetall(talliesKey(place));
      return new Map(Object.entries(counts).map(([tally, count]) => [tally, Number(count)]));
    },
  };
}

function storedState(
  version: string | null | undefined,
  body: string | null | undefined,
): StoredState | null {
  return version == null || body == null ? null : { version: Number(version), body };
}

function offsetOf(text: string | number | null | undefined): number | null {
  return text == null || text === '' ? null : Number(text);
}

function expiry(keepUntil: number | null): string {
  return keepUntil === null ? '' : String(keepUntil + graceMs);
}

function advanceArguments({ from, to, now, writes }: FoldAdvance): string[] {
  const place = [from === null ? '' : String(from), String(to), String(now)];
  return [
    ...place,
    ...writes.flatMap((write) => [
      write.key,
      String(write.expected),
      String(write.version),
      write.body ?? '',
      // A state that is gone expects nothing and is counted as nothing.
      ...(write.body === null ? ['', '', ''] : marks(write)),
    ]),
  ];
}

/** Expiry, time of the expected input, tally. */
function marks({
  keepUntil,
  expectBy,
  tally,
}: Pick<StateWrite, 'keepUntil' | 'expectBy' | 'tally'>): string[] {
  return [expiry(keepUntil), expectBy === undefined ? '' : String(expectBy), tally ?? ''];
}

function advanced([status, detail]: [string, (string | number)?], writes: readonly StateWrite[]): Advanced {
  if (status === 'ok' || status === 'fenced') return { status };
  if (status === 'offset') return { status, offset: offsetOf(detail) };
  return { status: 'version', key: writes[Number(detail) - 1]?.key ?? '' };
}

function* bySize(states: readonly RestoredState[]): Generator<RestoredState[]> {
  let slice: RestoredState[] = [];
  let bytes = 0;
  for (const state of states) {
    slice.push(state);
    bytes += state.state.body.length;
    if (bytes < maxScriptBytes && slice.length < 1_000) continue;
    yield slice;
    slice = [];
    bytes = 0;
  }
  if (slice.length > 0) yield slice;
}
