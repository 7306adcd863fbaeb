// Who is asking, and whether the route is theirs. Every route declares what it needs; one that does not fails to register.
//
// Surprise: the pages under /docs also take HTTP Basic (any user, the key as password), because a browser cannot send
// a bearer token by itself. Nothing else does: a browser repeats Basic on its own, which invites cross-site requests.
import { type Actor, can, type Scope } from '@tocsin/adapters/postgres/access.ts';
import type { Keyring } from '@tocsin/adapters/postgres/api-keys.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from './errors.ts';

/** A scope; `public` for no key at all; `any` for every valid key; `link`: what the path holds is the credential. */
export type Access = Scope | 'public' | 'any' | 'link';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    actor: Actor;
  }
}

const nobody: Actor = { id: 'nobody', scopes: [] };

/** One entry per route, for the access test and the documentation. */
export interface RouteAccess {
  readonly method: string;
  readonly url: string;
  readonly access: Access;
}

export function requireKeys(app: FastifyInstance, keyring: Pick<Keyring, 'check'>): RouteAccess[] {
  const routes: RouteAccess[] = [];
  app.decorateRequest('actor', null as unknown as Actor);
  app.addHook('onRoute', (route) => {
    const access: Access | undefined = isDocs(route.url) ? 'any' : route.config?.access;
    if (access === undefined)
      throw new Error(`route ${String(route.method)} ${route.url} does not say who may use it`);
    route.config = { ...route.config, access };
    for (const method of [route.method].flat()) routes.push({ method, url: route.url, access });
  });
  app.addHook('onRequest', async (request) => {
    request.actor = nobody;
    const access = request.routeOptions.config.access ?? 'any';
    if (access === 'public' || access === 'link') return;
    const text = keyText(request);
    const key = text === null ? null : keyring.check(text);
    if (key === null) {
      const challenge = isDocs(request.url) ? 'Basic realm="tocsin"' : 'Bearer realm="tocsin"';
      throw new ApiError(401, 'unauthorized', 'send a valid API key: Authorization: Bearer tocsin_...', {
        headers: { 'www-authenticate': challenge },
      });
    }
    const via = `key:${key.id}`;
    request.actor = {
      id: key.user === null ? via : `user:${key.user}`,
      scopes: key.scopes,
      ip: request.ip,
      via,
      ...(key.user === null ? {} : { person: { user: key.user, roles: key.roles } }),
    };
    if (access !== 'any' && !can(key.scopes, access))
      throw new ApiError(403, 'forbidden', `this needs the scope ${access}`);
  });
  return routes;
}

function isDocs(url: string): boolean {
  return url === '/docs' || url.startsWith('/docs/');
}

/** The key as it was sent; null without one. */
export function keyText(request: FastifyRequest): string | null {
  const header = request.headers.authorization ?? '';
  // RFC 9110 section 11.1: the scheme is case-insensitive.
  const bearer = /^bearer ([\w-]{1,256})$/i.exec(header)?.[1];
  if (bearer !== undefined) return bearer;
  const basic = isDocs(request.url) ? /^basic ([A-Za-z0-9+/=]{1,1024})$/i.exec(header)?.[1] : undefined;
  if (basic === undefined) return null;
  const pair = Buffer.from(basic, 'base64').toString('latin1');
  return pair.slice(pair.indexOf(':') + 1);
}
