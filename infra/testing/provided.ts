// Types of what global-setup.ts hands to the test files.
declare module 'vitest' {
  interface ProvidedContext {
    /** Bootstrap servers, `host:port`. */
    kafka: string;
    /** `redis://…`. */
    redis: string;
    /** `postgres://…` of a role that may create databases. */
    postgres: string;
    /** Databases of this run start with it. */
    databasePrefix: string;
  }
}

export {};
