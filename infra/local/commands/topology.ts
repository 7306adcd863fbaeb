// ./tocsin topology
import { runScript } from './node-script.ts';

export const run = (args: string[]): Promise<number> => runScript('topologies/render/main.ts', args);
