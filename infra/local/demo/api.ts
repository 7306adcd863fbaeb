// The config API as the demo and the commands use it: a bearer key and JSON; anything but success is an error that shows the answer.

export interface ApiClient {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
}

/** An answer that is not a success. */
export class ApiRefused extends Error {
  override readonly name = 'ApiRefused';
  readonly status: number;
  /** The body: JSON of `{error: {code, message, issues}}`, as far as it comes from the API. */
  readonly body: string;
  constructor(request: string, status: number, body: string) {
    super(`${request} answered ${status}: ${body}`);
    this.status = status;
    this.body = body;
  }
}

export function createApiClient(baseUrl: string, key: string): ApiClient {
  async function call(method: string, path: string, body?: unknown): Promise<string> {
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    if (!response.ok) throw new ApiRefused(`${method} ${path}`, response.status, text);
    return text;
  }
  return {
    get: async (path) => JSON.parse(await call('GET', path)),
    post: async (path, body) => JSON.parse(await call('POST', path, body)),
  };
}
