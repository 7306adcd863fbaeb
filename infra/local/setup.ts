// One-shot preparation for services that are not started by ./tocsin (containers): missing topics and a missing keyring.

import { ensureKeyring } from './stack.ts';
import { createMissingTopics } from './topics.ts';

const keyring = process.env.SECRETS_KEY_FILE;
if (keyring) ensureKeyring(keyring);
const created = await createMissingTopics(process.env);
console.log(created.length === 0 ? 'all topics are there' : `created ${created.join(', ')}`);
