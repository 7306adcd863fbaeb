// Checks a card against the schema that Microsoft publishes for Adaptive Cards 1.5, which is what Teams renders.
//
// Surprise: the schema tells elements apart by trying all of them, and its errors are about every one; here the type decides
// first, so that an error is about the element that was meant. `msteams`, which Teams adds to the root, is not in the schema.
import {
  compileCheck,
  compilePublishedCheck,
  type Issue,
  type JsonSchema,
} from '@tocsin/schemas/codecs/validate.ts';
import published from './adaptive-card-1.5.json' with { type: 'json' };

const choice = 'ImplementationsOf.';

interface Alternatives {
  readonly anyOf: readonly { readonly allOf?: readonly { readonly $ref: string }[] }[];
}

function byType(alternatives: Alternatives): JsonSchema {
  const refs = alternatives.anyOf.flatMap(({ allOf }) => allOf?.[0]?.$ref ?? []);
  const nameOf = (ref: string): string => ref.slice('#/definitions/'.length);
  return {
    type: 'object',
    required: ['type'],
    properties: { type: { enum: refs.map(nameOf) } },
    allOf: refs.map(($ref) => ({
      if: { properties: { type: { const: nameOf($ref) } } },
      then: { $ref },
    })),
  };
}

const definitions = Object.fromEntries(
  Object.entries(published.definitions as Record<string, unknown>).map(([name, schema]) => [
    name,
    name.startsWith(choice) && (schema as Alternatives).anyOf.length > 1
      ? byType(schema as Alternatives)
      : schema,
  ]),
);

const checkShape = compilePublishedCheck({ definitions, $ref: '#/definitions/AdaptiveCard' });

// learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format: mentions and full width.
const checkTeams = compileCheck({
  type: 'object',
  additionalProperties: false,
  properties: {
    width: { enum: ['Full', 'full'] },
    entities: {
      type: 'array',
      maxItems: 50,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['type', 'text', 'mentioned'],
        properties: {
          type: { const: 'mention' },
          text: { type: 'string', pattern: '^<at>[^<>]{1,255}</at>$' },
          mentioned: {
            type: 'object',
            additionalProperties: false,
            required: ['id', 'name'],
            properties: { id: { type: 'string', minLength: 1 }, name: { type: 'string', minLength: 1 } },
          },
        },
      },
    },
  },
});

/** The newest version that Teams renders; a card of a later one shows its fallback text only. */
export const cardVersion = '1.5';

/** Problems of a rendered card, as JSON Pointers below `path`. */
export function checkCard(card: unknown, path: string): Issue[] {
  const { msteams, ...rest } = card as Readonly<Record<string, unknown>>;
  // Where several spellings are allowed, each has its say; the first is the plain one.
  const issues = checkShape(rest).filter(
    ({ path: at }, index, all) => all.findIndex((other) => other.path === at) === index,
  );
  if (rest['type'] !== 'AdaptiveCard') issues.push({ path: '/type', message: 'must be AdaptiveCard' });
  if (!/^1\.[0-5]$/.test(String(rest['version'])))
    issues.push({ path: '/version', message: `must be 1.0 to ${cardVersion}` });
  if (msteams !== undefined)
    issues.push(...checkTeams(msteams).map((issue) => ({ ...issue, path: `/msteams${issue.path}` })));
  return issues.map((issue) => ({ ...issue, path: `${path}${issue.path}` }));
}
