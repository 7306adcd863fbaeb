// An error in one line, with what caused it: the clients wrap the telling message several errors deep.

export function describe(error: unknown): string {
  const parts: string[] = [];
  for (let current: unknown = error, depth = 0; current && depth < 5; depth++) {
    if (typeof current !== 'object') {
      parts.push(String(current));
      break;
    }
    const { message, errors, cause } = current as Partial<Error> & { readonly errors?: readonly unknown[] };
    parts.push(message ?? String(current));
    current = cause ?? errors?.[0];
  }
  return [...new Set(parts)].join(' < ');
}
