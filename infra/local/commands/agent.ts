// ./tocsin agent --config FILE
import { runScript } from './node-script.ts';

export const run = (args: string[]): Promise<number> => runScript('services/agent/main.ts', args);
