// Parameters of the script action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { wordsOf } from './words.ts';

export interface ScriptParams {
  readonly script?: string;
  readonly command?: string;
  readonly shell?: boolean;
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: 'rows' | 'event' | 'none';
  readonly fields?: readonly string[];
  readonly time_limit?: number;
}

/** Issues of schema-valid parameters. */
export function checkScript(params: ScriptParams): Issue[] {
  const { script, command, shell = false, arguments: args = [], environment = {} } = params;
  const issues: Issue[] = [];
  if ((script === undefined) === (command === undefined))
    issues.push({ path: '', message: 'needs either script or command' });
  if (shell && command === undefined) issues.push({ path: '/shell', message: 'is for command alone' });
  if (command !== undefined) issues.push(...checkCommand(command, shell));
  if (command !== undefined && !shell && args.length > 0)
    issues.push({ path: '/arguments', message: 'belong into the command, unless shell is true' });
  if (params.fields !== undefined && (params.stdin ?? 'rows') !== 'rows')
    issues.push({ path: '/fields', message: 'are those of rows; stdin says otherwise' });
  return [
    ...issues,
    ...args.flatMap((argument, index) => checkTemplate(argument, 'none', `/arguments/${index}`)),
    ...Object.entries(environment).flatMap(([name, value]) =>
      checkTemplate(value, 'none', `/environment/${name}`),
    ),
  ];
}

function checkCommand(command: string, shell: boolean): Issue[] {
  const path = '/command';
  if (shell)
    return command.includes('{{')
      ? [
          {
            path,
            message:
              'cannot hold tokens with shell: a value could be run; use arguments ("$1") or environment ("$TOCSIN_...")',
          },
        ]
      : [];
  const read = wordsOf(command);
  if ('problem' in read) return [{ path, message: read.problem }];
  const [program = ''] = read.words;
  if (program.includes('{{')) return [{ path, message: 'cannot begin with a token' }];
  return read.words.flatMap((word) => checkTemplate(word, 'none', path));
}

/** Issues of parameters together with the connection that they are to be used with. */
export function checkScriptHost(params: ScriptParams, connection: Connection): Issue[] {
  if (connection.type !== 'script-host') return [{ path: '', message: 'needs a script-host connection' }];
  if (connection.executor !== 'ssh') return [];
  const { script, shell = false } = params;
  if (script !== undefined && !Object.hasOwn(connection.scripts ?? {}, script))
    return [{ path: '/script', message: `is no script of the connection ${connection.id}` }];
  if (shell && connection.allow_shell !== true)
    return [{ path: '/shell', message: `is not allowed by the connection ${connection.id}` }];
  return [];
}
