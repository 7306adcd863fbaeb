// Cursors: where a list goes on, signed so that only our own come back.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { badRequest } from './errors.ts';

export const maxLimit = 200;
const defaultLimit = 50;

export interface Paging {
  /** `list` says which list a cursor belongs to; it cannot be used for another. */
  encode(list: string, position: readonly string[]): string;
  /** Throws 400 for a cursor that this function did not make. */
  decode(list: string, cursor: string | undefined): readonly string[] | null;
}

export function createPaging(secret: Buffer): Paging {
  const sign = (list: string, payload: string): Buffer =>
    createHmac('sha256', secret).update(`cursor\n${list}\n${payload}`).digest().subarray(0, 16);
  return {
    encode(list, position) {
      const payload = Buffer.from(JSON.stringify(position)).toString('base64url');
      return `${payload}.${sign(list, payload).toString('base64url')}`;
    },
    decode(list, cursor) {
      if (cursor === undefined) return null;
      const [payload = '', mac = ''] = cursor.split('.');
      const given = Buffer.from(mac, 'base64url');
      const expected = sign(list, payload);
      if (
        given.length !== expected.length ||
        !timingSafeEqual(given, expected) ||
        cursor !== `${payload}.${mac}`
      )
        throw badRequest([{ path: '/cursor', message: 'is not a cursor of this list' }]);
      return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as string[];
    },
  };
}

/** A larger limit is cut to the largest. The pattern of the query schema has seen the text. */
export function limitOf(query: { readonly limit?: string }): number {
  return Math.min(maxLimit, query.limit === undefined ? defaultLimit : Number(query.limit));
}

export const pageQuery = {
  cursor: { type: 'string', minLength: 1, maxLength: 1024, description: 'next_cursor of the page before.' },
  limit: {
    type: 'string',
    pattern: '^[1-9][0-9]{0,9}$',
    description: `Entries per page, at most ${maxLimit}; default ${defaultLimit}.`,
  },
} as const;

/** One page from `limit + 1` entries that were asked for. */
export function pageOf<T>(
  entries: readonly T[],
  limit: number,
  cursorOf: (last: T) => string,
): { items: T[]; next_cursor: string | null } {
  const items = entries.slice(0, limit);
  const last = items.at(-1);
  return { items, next_cursor: entries.length > limit && last !== undefined ? cursorOf(last) : null };
}
