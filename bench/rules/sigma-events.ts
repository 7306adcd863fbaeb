// Windows events of about 1 kB in the event envelope, of the kinds that the rules of sigma-mix.ts ask about.
import { type SeededRandom, seededRandom } from './random.ts';
import { commandLine, folders, programs, sigmaWorld } from './sigma-world.ts';

type Members = Record<string, unknown>;

/** `count` events as JSON text, each of 1,000 to 1,040 bytes, ASCII; the same for the same seed. */
export function sigmaEvents(count: number, seed = 4): string[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, number) => event(random, number));
}

const path = (random: SeededRandom): string => `${random.pick(folders)}${random.pick(programs)}`;

const kinds: readonly (readonly [(random: SeededRandom) => Members, number])[] = [
  [processCreation, 60],
  [(random) => ({ EventID: 11, Image: path(random), TargetFilename: path(random) }), 10],
  [
    (random) => ({
      EventID: 13,
      Image: path(random),
      TargetObject: `HKLM\\Software\\${words(random, 4)}`,
      Details: words(random, 3),
    }),
    10,
  ],
  [(random) => ({ EventID: 7, Image: path(random), ImageLoaded: path(random) }), 8],
  [
    (random) => ({
      EventID: 3,
      Image: path(random),
      DestinationIp: `10.${random.below(256)}.${random.below(256)}.7`,
      DestinationPort: 443,
    }),
    6,
  ],
  [(random) => ({ EventID: 4104, ScriptBlockText: words(random, 40) }), 6],
];

function words(random: SeededRandom, count: number): string {
  return commandLine(random, sigmaWorld, count);
}

function processCreation(random: SeededRandom): Members {
  const image = path(random);
  return {
    EventID: 1,
    Image: image,
    OriginalFileName: image.slice(image.lastIndexOf('\\') + 1),
    CommandLine: `${image} ${words(random, random.between(4, 14))}`,
    CurrentDirectory: random.pick(folders),
    User: random.pick(['CORP\\anna', 'CORP\\svc-backup', 'NT AUTHORITY\\SYSTEM']),
    IntegrityLevel: random.pick(['Medium', 'High', 'System']),
    Hashes: `SHA256=${Array.from({ length: 64 }, () => random.below(16).toString(16)).join('')}`,
    ParentImage: path(random),
    ParentCommandLine: words(random, 5),
  };
}

function event(random: SeededRandom, number: number): string {
  const data = {
    Channel: 'Microsoft-Windows-Sysmon/Operational',
    Computer: `host-${random.below(500)}.corp.example.com`,
    ...random.weighted(kinds)(random),
  };
  const make = (message: string): string =>
    JSON.stringify({
      id: `win-${String(number).padStart(8, '0')}`,
      event: 'windows.event',
      timestamp: new Date(Date.UTC(2026, 10, 20) + number).toISOString(),
      data: { ...data, Message: message },
    });
  let message = '';
  while (make(message).length < 1_000) message += `${random.pick(sigmaWorld.words)} `;
  return make(message.slice(0, message.length - Math.max(0, make(message).length - 1_040)));
}
