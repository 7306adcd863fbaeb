// Types of the parsers of others that the tests use; only what is used.
declare module 'glossy' {
  interface Parsed {
    readonly type?: string;
    readonly time?: Date;
    readonly message?: string;
    readonly structuredData?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  }
  const glossy: { readonly Parse: { parse(message: string): Parsed } };
  // biome-ignore lint/style/noDefaultExport: it is what the package has
  export default glossy;
}
declare module 'nsyslog-parser' {
  // biome-ignore lint/style/noDefaultExport: it is what the package has
  export default function parse(message: string): Readonly<Record<string, unknown>>;
}
