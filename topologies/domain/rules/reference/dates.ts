// The reference evaluator's own reading of dates: the parser and the calendar of JavaScript, asked in the forms that ECMA-262 defines.

const written =
  /^(\d\d\d\d-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?([Zz]|[+-]\d\d(?::?\d\d)?)?)?$/;

/** Epoch ms of a text or a number; null when it is no point in time. */
export function timeOf(element: unknown): number | null {
  if (typeof element === 'number') {
    const time = element > -100_000_000_000 && element < 100_000_000_000 ? element * 1000 : element;
    return Number.isNaN(new Date(time).getTime()) ? null : time;
  }
  const match = typeof element === 'string' ? written.exec(element) : null;
  if (match === null) return null;
  const [, date = '', clock = '00:00', second = '00', fraction = '', zone = 'Z'] = match;
  if (fraction.length > 18) return null;
  const day = new Date(`${date}T00:00:00Z`);
  // February 30 becomes March 2 in some engines.
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== date) return null;
  if (clock.startsWith('24')) return null;
  const leap = second === '60';
  const digits = zone.toUpperCase() === 'Z' ? 'Z' : `${zone.replace(':', '')}00`.slice(0, 5);
  const offset = digits === 'Z' ? 'Z' : `${digits.slice(0, 3)}:${digits.slice(3)}`;
  const milliseconds = `${fraction}000`.slice(0, 3);
  const time = Date.parse(`${date}T${clock}:${leap ? '59' : second}.${milliseconds}${offset}`);
  if (Number.isNaN(time)) return null;
  return leap ? time + 1000 : time;
}

/** A bound of a rule: a date or `now` with a distance. */
export function boundOf(bound: unknown, now: number): number {
  if (typeof bound !== 'string' || !bound.startsWith('now')) return timeOf(bound) as number;
  if (bound === 'now') return now;
  const seconds = { s: 1, m: 60, h: 60 * 60, d: 24 * 60 * 60, w: 7 * 24 * 60 * 60 };
  const count = Number(bound.slice(4, -1)) * seconds[bound.slice(-1) as keyof typeof seconds] * 1000;
  return bound[3] === '-' ? now - count : now + count;
}

/** What a clock and calendar in `timeZone` show, by the names that rules use. */
export function shownAt(time: number, timeZone: string): Record<string, number> {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    weekday: 'short',
  });
  const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]));
  const number = (name: string): number => Number(parts[name]);
  const weekday = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(parts['weekday'] ?? '') + 1;
  const [year, month, day] = [number('year'), number('month'), number('day')];
  return {
    minute: number('minute'),
    hour: number('hour'),
    day,
    month,
    year,
    weekday,
    week: weekOf(year, month, day),
  };
}

// ISO 8601: weeks begin on Monday, and January 4 is in the first one of its year.
function weekOf(year: number, month: number, day: number): number {
  const dayMs = 24 * 60 * 60 * 1000;
  const mondayOf = (time: number): number => time - ((new Date(time).getUTCDay() + 6) % 7) * dayMs;
  const monday = mondayOf(Date.UTC(year, month - 1, day));
  const starts = [year - 1, year, year + 1].map((one) => mondayOf(Date.UTC(one, 0, 4)));
  const start = starts.filter((one) => one <= monday).at(-1) as number;
  return (monday - start) / (7 * dayMs) + 1;
}
