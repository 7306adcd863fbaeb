// ./tocsin help
import { commands } from './table.ts';

export async function run(): Promise<number> {
  const width = Math.max(...Object.values(commands).map((command) => command.usage.length));
  console.log('usage: ./tocsin <command>\n');
  for (const { usage, summary } of Object.values(commands))
    console.log(`  ${usage.padEnd(width)}  ${summary}`);
  console.log(`
Data lives in .tocsin (TOCSIN_HOME moves it). KAFKA_BROKERS, REDIS_URL and DATABASE_URL name servers to use instead of
embedded ones; CONFIG_DIR names a folder of rules, actions and sinks to use instead of the config API.`);
  return 0;
}
