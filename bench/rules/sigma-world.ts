// Command lines, programs and folders as Windows events have them, and the words they are made of; for sigma-mix.ts.
import { type SeededRandom, seededRandom } from './random.ts';

export interface World {
  readonly words: readonly string[];
  /** Command-line options, among them many of two characters. */
  readonly options: readonly string[];
}

const syllables = [
  'net',
  'reg',
  'pow',
  'er',
  'sh',
  'win',
  'cry',
  'pto',
  'ser',
  'vice',
  'dll',
  'host',
  'adm',
  'in',
  'get',
  'set',
  'inv',
  'oke',
  'ex',
  'pr',
  'down',
  'load',
  'str',
  'ing',
  'file',
  'base',
  'enc',
  'od',
  'ed',
  'task',
];

export const sigmaWorld: World = (() => {
  const random = seededRandom(11);
  const word = (): string =>
    Array.from({ length: random.between(2, 4) }, () => random.pick(syllables)).join('');
  return {
    words: [...new Set(Array.from({ length: 6_000 }, word))],
    options: [
      ...Array.from('abcdefghijklmnopqrstuvwxyz', (letter) => `/${letter} `),
      ...Array.from('acdefhilnoprstuwx', (letter) => `-${letter} `),
      ...Array.from({ length: 200 }, () => `-${word()} `),
    ],
  };
})();

export const programs: readonly string[] = (() => {
  const random = seededRandom(12);
  return Array.from({ length: 1_400 }, () => `${random.pick(sigmaWorld.words)}.exe`);
})();

export const folders = [
  'C:\\Windows\\System32\\',
  'C:\\Windows\\SysWOW64\\',
  'C:\\Program Files\\Vendor\\Product\\',
  'C:\\Users\\Public\\',
  'C:\\ProgramData\\Agent\\',
  'C:\\Users\\anna\\AppData\\Local\\Temp\\',
];

/** Words, options and paths in the manner of a command line; common words are more common. */
export function commandLine(random: SeededRandom, { words, options }: World, count: number): string {
  let text = '';
  for (let index = 0; index < count; index += 1) {
    if (random.chance(0.3)) text += random.pick(options);
    else text += `${words[random.skewed(words.length)]!}${random.chance(0.2) ? '\\' : ' '}`;
  }
  return text;
}
