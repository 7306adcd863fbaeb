// The in-memory ledger that pure tests use obeys the same contract as the real ones.
import { fakeEffects } from '@tocsin/topologies/ports/fakes/effects.ts';
import { describe } from 'vitest';
import { effectsContract } from './effects-contract.ts';

describe('in memory', () => {
  const ledger = fakeEffects();
  effectsContract(() => ledger);
});
