// The default adapter against real brokers.
import { judgeAdapter } from './judge.ts';

judgeAdapter('platformatic');
