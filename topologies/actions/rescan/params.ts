// Parameters of the rescan action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { ScanRequest } from '@tocsin/schemas/types.ts';
import { type AskParams, checkAsk } from '../../domain/action/ask/params.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { parseDuration } from '../../domain/playbooks/duration.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { checkJsonTemplate } from '../../domain/templates/json-template.ts';

export interface RescanParams extends AskParams {
  readonly asset: Json;
  readonly scan_type?: string;
  readonly finding?: Json;
  readonly options?: { readonly [key: string]: Json };
  readonly priority?: NonNullable<ScanRequest['priority']>;
  readonly delay?: string;
  readonly coalesce?: string;
}

/** Issues of schema-valid parameters. */
export function checkRescan(params: RescanParams): Issue[] {
  return [
    ...checkAsk(params, { httpOnly: ['id_at'], topicOnly: ['delay', 'coalesce'] }),
    ...checkJsonTemplate(params.asset, '/asset'),
    ...checkTemplate(params.scan_type, 'none', '/scan_type'),
    ...(params.finding === undefined ? [] : checkJsonTemplate(params.finding, '/finding')),
    ...(params.options === undefined ? [] : checkJsonTemplate(params.options, '/options')),
    ...(['delay', 'coalesce'] as const).flatMap((name) => {
      const text = params[name];
      const parsed = text === undefined ? 0 : spanMs(text);
      return typeof parsed === 'number' ? [] : [{ path: `/${name}`, message: parsed.error }];
    }),
  ];
}

/** Milliseconds; PT0S is none. */
export function spanMs(text: string): ReturnType<typeof parseDuration> {
  return text === 'PT0S' ? 0 : parseDuration(text);
}
