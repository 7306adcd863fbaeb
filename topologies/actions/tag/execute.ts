// Carries out one tag command.
import type { AssetUpdate } from '@tocsin/schemas/types.ts';
import { askAction } from '../../domain/action/ask/ask.ts';
import { checked } from '../../domain/action/check-params.ts';
import { topics } from '../../topics.ts';
import { manifest } from './manifest.ts';
import { checkTag, type TagParams } from './params.ts';
import { assetUpdates } from './request.ts';

export const tag = checked({
  manifest,
  check: (params) => checkTag(params as unknown as TagParams),
  ...askAction({
    topic: topics.assetUpdates,
    whose: 'the inventory',
    ask: (command, now) => assetUpdates(command, command.params as unknown as TagParams, now),
    api: {
      method: ({ method }) => method ?? 'PATCH',
      path: '/api/assets/{{request.asset}}',
      body: (record) => {
        const { add_tags, remove_tags } = record as AssetUpdate;
        return { add_tags, remove_tags };
      },
      id: null,
    },
  }),
});
