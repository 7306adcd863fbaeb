// The little YAML that generated files need: maps, lists and scalars, every string quoted as JSON (which YAML 1.2 reads).

/** Block-style YAML of plain data. Keys must be plain words. */
export function stringify(value: unknown, indent = ''): string {
  if (Array.isArray(value))
    return value.map((item) => `${indent}- ${stringify(item, `${indent}  `).trimStart()}`).join('');
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([key, item]) =>
        typeof item === 'object' && item !== null
          ? `${indent}${key}:\n${stringify(item, `${indent}  `)}`
          : `${indent}${key}: ${JSON.stringify(item)}\n`,
      )
      .join('');
  return `${JSON.stringify(value)}\n`;
}
