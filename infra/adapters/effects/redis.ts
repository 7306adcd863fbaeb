// The effects ledger in Redis: for actions whose receivers tolerate the rare repeat after Redis lost a second of writes.
// Invariant: of all callers that begin one command exactly one hears 'fresh'; the first stored outcome stays.
// Surprise: an entry is one string: `b<round>:<begun>` while it is begun, `r...` when that was taken back and something had been noted,
// `d<round>:<begun> <JSON>` when it is done, `f...` when it failed; what was noted is a second line of it. SET with NX and GET together
// would need Redis 7, so begin is a script as well.
import type { Outcome, Progress } from '@tocsin/topologies/domain/action/outcome.ts';
import { type EffectState, type EffectsPort, mayHaveHappened } from '@tocsin/topologies/ports/effects.ts';
import type { Redis } from '../redis/connect.ts';
import { createScript } from '../redis/script.ts';

// A redelivery comes within the retention of the command topics; after that the mark has done its work.
// Command topics keep a week; two days more for segments that are deleted late.
const TTL_SECONDS = 9 * 24 * 3600;
const PREFIX = 'tocsin:effect:';

// ARGV: now, TTL, round. Answers what was held, or nil when the mark is new. What is not done is begun anew in a higher round.
const BEGIN = `
local held = redis.call('GET', KEYS[1])
local state = held and string.sub(held, 1, 1)
local again = state == 'r' or held and state ~= 'd'
  and tonumber(string.match(held, '^%a(%d+):')) < tonumber(ARGV[3])
local noted = held and string.match(held, '\\n.*$') or ''
if not held or again then redis.call('SET', KEYS[1], 'b' .. ARGV[3] .. ':' .. ARGV[1] .. noted, 'EX', ARGV[2]) end
return held`;

// Keeps a stored outcome; keeps round, time of begin, and what a failure noted. ARGV: d or f, ending JSON, now, TTL.
const FINISH = `
local held = redis.call('GET', KEYS[1]) or 'b1:' .. ARGV[3]
if not string.find(held, '^[br]') then return 0 end
local noted = ARGV[1] == 'f' and string.match(held, '\\n.*$') or ''
redis.call('SET', KEYS[1], ARGV[1] .. string.match(held, '^.([^\\n]*)') .. ' ' .. ARGV[2] .. noted, 'EX', ARGV[4])
return 1`;

// Keeps a stored outcome. ARGV: progress JSON, now, TTL.
const NOTE = `
local held = redis.call('GET', KEYS[1]) or 'b1:' .. ARGV[2]
if not string.find(held, '^[br]') then return 0 end
redis.call('SET', KEYS[1], 'b' .. string.match(held, '^.([^\\n]*)') .. '\\n' .. ARGV[1], 'EX', ARGV[3])
return 1`;

// Takes back only a mark: a finished command stays finished, and what was noted stays known. ARGV: TTL.
const RELEASE = `
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 1) ~= 'b' then return 0 end
if not string.find(held, '\\n') then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], 'r' .. string.sub(held, 2), 'EX', ARGV[1])
return 1`;

/** Rejects when Redis does not answer in time; then the mark may or may not have been set, and the next begin says which. */
export function createRedisEffects(redis: Redis, prefix = PREFIX): EffectsPort {
  const begin = createScript(redis, BEGIN);
  const finish = createScript(redis, FINISH);
  const release = createScript(redis, RELEASE);
  const note = createScript(redis, NOTE);
  const ttl = String(TTL_SECONDS);
  return {
    async begin(commandId, now, round = 1) {
      const held = await begin([prefix + commandId], [String(now), ttl, String(round)]);
      return typeof held === 'string' ? parseEntry(held, round) : { state: 'fresh' };
    },
    async finish(commandId, outcome, now, possibleDuplicate = false) {
      const ending: Ending = { outcome, ...(possibleDuplicate ? { possibleDuplicate } : {}) };
      const entry = [outcome.status === 'done' ? 'd' : 'f', JSON.stringify(ending)];
      await finish([prefix + commandId], [...entry, String(now), ttl]);
    },
    async note(commandId, progress, now) {
      await note([prefix + commandId], [JSON.stringify(progress), String(now), ttl]);
    },
    async release(commandId) {
      await release([prefix + commandId], [ttl]);
    },
  };
}

interface Ending {
  readonly outcome: Outcome;
  readonly possibleDuplicate?: true;
}

function parseEntry(held: string, round: number): EffectState {
  // JSON.stringify writes no line feed.
  const [entry = '', progress] = held.split('\n');
  const noted = progress === undefined ? {} : { progress: JSON.parse(progress) as Progress };
  if (entry.startsWith('r')) return { state: 'fresh', ...noted };
  const colon = entry.indexOf(':');
  const space = entry.indexOf(' ');
  const ending = space < 0 ? null : (JSON.parse(entry.slice(space + 1)) as Ending);
  if (!entry.startsWith('d') && Number(entry.slice(1, colon)) < round) {
    const { outcome = null, possibleDuplicate = false } = ending ?? {};
    return { state: 'reopened', possibleDuplicate: mayHaveHappened(outcome, possibleDuplicate), ...noted };
  }
  if (ending === null) return { state: 'uncertain', begunAt: Number(entry.slice(colon + 1)), ...noted };
  return { state: 'finished', ...ending };
}
