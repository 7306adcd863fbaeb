// Time zones by IANA name: how far their clocks are ahead of UTC at a moment, from the data that comes with Node.
//
// The surprise: asking Intl costs microseconds, and many rules ask about the same moment, so each zone keeps its last answer.

/** ms ahead of UTC at `time` (epoch ms). */
export type ZoneOffset = (time: number) => number;

const zones = new Map<string, ZoneOffset>();

/** null when there is no such zone. */
export function zoneOffset(name: string): ZoneOffset | null {
  if (name === 'UTC') return () => 0;
  const held = zones.get(name);
  if (held !== undefined) return held;
  const created = createZone(name);
  if (created !== null) zones.set(name, created);
  return created;
}

function createZone(timeZone: string): ZoneOffset | null {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset', year: 'numeric' });
  } catch {
    return null;
  }
  let last = Number.NaN;
  let offset = 0;
  return (time) => {
    if (time !== last) {
      offset = readOffset(
        format.formatToParts(time).find(({ type }) => type === 'timeZoneName')?.value ?? '',
      );
      last = time;
    }
    return offset;
  };
}

// 'GMT', 'GMT+02:00', and with seconds before zones had full minutes: 'GMT-00:01:15'.
function readOffset(text: string): number {
  const match = /^GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text.replace('\u2212', '-'));
  if (match?.[1] === undefined) return 0;
  const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return (match[1] === '-' ? -1000 : 1000) * seconds;
}
