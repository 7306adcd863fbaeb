// The kafkajs adapter against real brokers.
import { judgeAdapter } from './judge.ts';

judgeAdapter('kafkajs');
